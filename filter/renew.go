package filter

import (
	"sync"
	"sync/atomic"

	"rescind"
)

const (
	// minFilter is how many records the smallest filter is made for: 2 KiB.
	minFilter = 1024

	// headroom is how much more than the set holds a new filter is made for.
	headroom = 1.25

	// renewStep is how many records one added record moves to the next filter,
	// at least: the work of some 50 microseconds.
	renewStep = 4096
)

// renewal replaces the filter by one of the right size, a little with every
// change of the set. A Bloom filter can't forget, so it must be made anew from
// the tables when it is full or when much of what it remembers is gone.
//
// While a renewal is under way, next is what will replace the filter. Every
// record that is added goes into both; those that were there before are copied
// shard by shard. So when all shards are done, next holds all.
type renewal struct {
	next atomic.Pointer[blocked]

	mu    sync.Mutex // held by whoever takes a step; nobody waits for it
	shard int        // the first that has not been copied
}

// remember adds a record's digest to the filter. The caller holds the lock of
// its shard, and so the scan of a renewal that begins now will meet the record.
func (s *Set) remember(d rescind.Digest) {
	if next := s.renewal.next.Load(); next != nil { // first: a renewal that ends meanwhile has made it the filter
		next.add(d)
	}
	s.filter.Load().add(d)
}

// renew takes a renewal on by so many records or a little more, if there is
// need for one and nobody else is at it.
func (s *Set) renew(records int) {
	if s.renewal.next.Load() == nil && !s.worn() || !s.renewal.mu.TryLock() {
		return
	}
	defer s.renewal.mu.Unlock()
	next := s.renewal.next.Load()
	if next == nil {
		if !s.worn() {
			return // somebody else has just finished
		}
		next = newBlocked(max(minFilter, int(headroom*float64(s.Len()))))
		s.census.bytes.Add(int64(next.bytes()))
		s.renewal.next.Store(next)
		s.renewal.shard = 0
	}
	for moved := 0; moved < records && s.renewal.shard < numShards; s.renewal.shard++ {
		moved += s.copyShard(s.renewal.shard, next)
	}
	if s.renewal.shard == numShards {
		s.census.bytes.Add(-int64(s.filter.Load().bytes()))
		s.filter.Store(next)
		s.renewal.next.Store(nil)
	}
}

// copyShard adds the records of one shard to a filter and returns how many
// they are. The lock keeps those out that would miss both: not yet in the
// shard, but added before there was a next filter.
func (s *Set) copyShard(shard int, to *blocked) int {
	w := &s.writers[shard]
	w.mu.Lock()
	defer w.mu.Unlock()
	v := s.views[shard].Load()
	v.narrow.addTo(uint64(shard), to)
	v.wide.addTo(uint64(shard), to)
	return v.narrow.used + v.wide.used
}

// worn reports whether the filter is full, or too large for what is left.
func (s *Set) worn() bool {
	f := s.filter.Load()
	return f.full() || f.limit > minFilter && s.Len() < f.limit/2
}
