package cluster

import (
	"slices"
	"sync/atomic"
	"time"

	"rescind/gossip"
)

// windowBounds are the buckets of the propagation window: from well below a
// LAN's round trip to where something is broken.
var windowBounds = []time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 10 * time.Second,
}

// histogram counts durations; it is safe for concurrent use.
type histogram struct {
	counts [16]atomic.Uint64 // one per bound, and one above
	sum    atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	i, _ := slices.BinarySearch(windowBounds, d)
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

func (h *histogram) snapshot() Histogram {
	s := Histogram{Bounds: windowBounds, Counts: make([]uint64, len(h.counts)), Sum: time.Duration(h.sum.Load())}
	for i := range h.counts {
		s.Counts[i] = h.counts[i].Load()
	}
	return s
}

// counters count since the node was opened.
type counters struct {
	revoked, applied, repairs, stateRequests, swept, refused, malformed, dropped, commits atomic.Uint64
	waits, waitTimeouts, waitsRefused, tooStale                                           atomic.Uint64
	consumed, consumeRefused, consumeUndecided, doubleUses                                atomic.Uint64
	healed, unsound, otherVersion, readsDropped, compareBytes                             atomic.Uint64
	firstByGossip, firstByNATS                                                            atomic.Uint64
}

// first counts records that a carrier, by its name, brought before anything
// else did.
func (c *counters) first(via string, records int) {
	if via == "gossip" {
		c.firstByGossip.Add(uint64(records))
	} else {
		c.firstByNATS.Add(uint64(records))
	}
}

// sent counts a message of ours by what it is.
func (c *counters) sent(b gossip.Body, bytes int) {
	switch b.(type) {
	case *gossip.RangeRequest:
		c.repairs.Add(1)
	case *gossip.StateRequest:
		c.stateRequests.Add(1)
	case *gossip.Compare, *gossip.Supply:
		c.compareBytes.Add(uint64(bytes))
	}
}

func (c *counters) snapshot() Counters {
	return Counters{
		Revoked: c.revoked.Load(), Applied: c.applied.Load(), Repairs: c.repairs.Load(),
		StateRequests: c.stateRequests.Load(), Swept: c.swept.Load(), Refused: c.refused.Load(),
		Malformed: c.malformed.Load(), Dropped: c.dropped.Load(), Commits: c.commits.Load(),
		Waits: c.waits.Load(), WaitTimeouts: c.waitTimeouts.Load(), WaitsRefused: c.waitsRefused.Load(), TooStale: c.tooStale.Load(),
		Consumed: c.consumed.Load(), ConsumeRefused: c.consumeRefused.Load(), ConsumeUndecided: c.consumeUndecided.Load(), DoubleUses: c.doubleUses.Load(),
		Healed: c.healed.Load(), Unsound: c.unsound.Load(), OtherVersion: c.otherVersion.Load(),
		ReadsDropped: c.readsDropped.Load(), CompareBytes: c.compareBytes.Load(),
		FirstByGossip: c.firstByGossip.Load(), FirstByNATS: c.firstByNATS.Load(),
	}
}
