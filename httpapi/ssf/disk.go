package ssf

import (
	"fmt"
	"log/slog"

	"rescind/internal/store"
)

// DiskLog is a [Log] in a folder of its own, built as the store of revocations is.
// After a failed write it takes nothing more until a restart.
type DiskLog struct{ store *store.Store }

// OpenLog opens the folder dir, and makes it if it does not exist. Only one
// process can have it open.
func OpenLog(dir string, logger *slog.Logger) (*DiskLog, error) {
	s, err := store.Open(dir, store.Options{Logger: logger, MemTable: 1 << 20})
	if err != nil {
		return nil, fmt.Errorf("ssf: open the log of events that wait: %w", err)
	}
	return &DiskLog{s}, nil
}

// Append implements Log.
func (d *DiskLog) Append(entries []LogEntry) error {
	all := make([]store.Queued, len(entries))
	for i, e := range entries {
		all[i] = store.Queued(e)
	}
	return d.store.Enqueue(all)
}

// Remove implements Log.
func (d *DiskLog) Remove(queue string, seqs []uint64) error {
	all := make([]store.Queued, len(seqs))
	for i, seq := range seqs {
		all[i] = store.Queued{Queue: queue, Seq: seq}
	}
	return d.store.Dequeue(all)
}

// Read implements Log.
func (d *DiskLog) Read(queue string, from uint64, yield func(seq uint64, value []byte) bool) error {
	return d.store.ReadQueue(queue, from, yield)
}

// Close closes the folder.
func (d *DiskLog) Close() error { return d.store.Close() }
