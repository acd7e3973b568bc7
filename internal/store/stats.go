package store

import (
	"time"

	"rescind/internal/timing"
)

// Stats is what a node shows of its store. The counters start at Open.
type Stats struct {
	DiskBytes uint64 // of all files in the folder
	LogBytes  uint64 // of the part of the log that is not in tables yet

	Commits uint64          // batches for which Commit returned nil
	Syncs   timing.Snapshot // of the log, each with its time: fewer than Commits when commits share one

	SlowOperations   uint64 // those on the disk that took longer than five seconds
	BackgroundErrors uint64 // failures to write or merge tables

	Crowded uint64 // times that a file could not be opened, because the process had too many open

	Skipped      uint64 // entries of a shared log that could not be read
	Duplicates   uint64 // messages for a shared log under whose ID somebody else had written
	Losses       uint64 // times that a shared log was found to lack what it had acknowledged
	Rewritten    uint64 // records that this node has written back into a shared log
	SharedBytes  uint64 // that a shared log takes
	SharedLimit  uint64 // at which it is full; 0: none, or not known
	AllowsRollup bool   // one message can remove others from a shared log, see sharedlog

	Failed error // why the store accepts nothing more, or nil
}

// Stats returns the state of this moment, without reading the disk. After Close
// sizes are 0.
func (s *Store) Stats() Stats {
	st := Stats{
		Commits:          s.counters.commits.Load(),
		Crowded:          s.fence.crowded.Load(),
		Syncs:            s.fence.syncs.Snapshot(),
		SlowOperations:   s.counters.slow.Load(),
		BackgroundErrors: s.counters.background.Load(),
		Failed:           s.fence.err(),
	}
	s.shared(func() error {
		m := s.db.Metrics()
		st.DiskBytes, st.LogBytes = uint64(max(s.fence.usage.total.Load(), 0)), m.WAL.Size
		return nil
	})
	return st
}

// SyncBounds are the buckets of Stats.Syncs: from a disk with a battery
// behind its cache to one that is about to fail.
var SyncBounds = []time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 10 * time.Second,
}
