// Package timing counts durations in fixed buckets, as Prometheus reads them.
// To observe one takes two atomic additions and a search among at most some
// twenty bounds; it allocates nothing and waits for nobody.
package timing

import (
	"slices"
	"sync/atomic"
	"time"
)

// Histogram counts durations. It is safe for concurrent use; New makes one.
type Histogram struct {
	bounds []time.Duration
	counts []atomic.Uint64 // one per bound, and one above all
	sum    atomic.Int64
}

// New returns an empty histogram whose buckets end at bounds, which must ascend
// and not be changed afterwards. A bound belongs to the bucket that it ends.
func New(bounds []time.Duration) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts d.
func (h *Histogram) Observe(d time.Duration) {
	i, _ := slices.BinarySearch(h.bounds, d)
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Snapshot returns what has been counted. Beside an Observe that is under way it
// may hold that one's count and not yet its duration.
func (h *Histogram) Snapshot() Snapshot {
	s := Snapshot{Bounds: h.bounds, Counts: make([]uint64, len(h.counts)), Sum: time.Duration(h.sum.Load())}
	for i := range h.counts {
		s.Counts[i] = h.counts[i].Load()
	}
	return s
}

// Snapshot is the content of a Histogram at one moment.
type Snapshot struct {
	Bounds []time.Duration // upper bounds, ascending; must not be changed
	Counts []uint64        // one per bound, not cumulative, and a last one above all bounds
	Sum    time.Duration   // of all that was counted
}

// Count returns how many durations were counted.
func (s Snapshot) Count() (n uint64) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// Plus returns the sum of two snapshots with the same bounds; one without any
// adds nothing.
func (s Snapshot) Plus(t Snapshot) Snapshot {
	if len(s.Counts) == 0 {
		return t
	}
	sum := Snapshot{Bounds: s.Bounds, Counts: slices.Clone(s.Counts), Sum: s.Sum + t.Sum}
	for i, c := range t.Counts {
		sum.Counts[i] += c
	}
	return sum
}
