package store

import "time"

// Stats is what a node shows of its store. The counters start at Open.
type Stats struct {
	DiskBytes uint64 // of all files in the folder
	LogBytes  uint64 // of the part of the log that is not in tables yet

	Commits  uint64        // batches for which Commit returned nil
	Syncs    uint64        // fsyncs of the log: fewer than Commits when commits share one
	SyncTime time.Duration // spent in them

	SlowOperations   uint64 // those on the disk that took longer than five seconds
	BackgroundErrors uint64 // failures to write or merge tables

	Skipped uint64 // entries of a shared log that could not be read

	Failed error // why the store accepts nothing more, or nil
}

// Stats returns the state of this moment, without reading the disk. After Close
// sizes are 0.
func (s *Store) Stats() Stats {
	st := Stats{
		Commits:          s.counters.commits.Load(),
		Syncs:            s.fence.syncs.Load(),
		SyncTime:         time.Duration(s.fence.syncTime.Load()),
		SlowOperations:   s.counters.slow.Load(),
		BackgroundErrors: s.counters.background.Load(),
		Failed:           s.fence.err(),
	}
	s.shared(func() error {
		m := s.db.Metrics()
		st.DiskBytes, st.LogBytes = m.DiskSpaceUsage(), m.WAL.Size
		return nil
	})
	return st
}
