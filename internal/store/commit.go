package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"rescind"
)

// MaxBatch bounds the records and the frontiers of one Batch, because Pebble
// holds a batch in memory and takes at most 4 GiB.
const MaxBatch = 1 << 20

// Batch is what is made durable together. Nothing in it but Forget takes away
// anything that is stored.
type Batch struct {
	// Records are joined by the caller with what it knows of their digests. The
	// store joins only within an expiry bucket: a record that has moved on to a
	// later one must take along what its older self said, which goes earlier.
	Records []rescind.Record

	// Own says that this node's own records of the epoch up to that number are
	// in this batch or in one whose Commit has returned nil. 0 means unchanged.
	Own uint64

	// Complete says that the folder holds all that there was when its node became
	// ready: see Identity.
	Complete bool

	Frontiers []Frontier // those that have moved
	Roll      []byte     // what this node knows of the named members; nil: unchanged
	Notes     []Note     // each replaces the one of its origin
	Forget    []uint64   // origins whose frontier and note are dropped, also where this batch has one
}

// Validate refuses what can not be stored.
func (b Batch) Validate() error {
	if len(b.Records) > MaxBatch || len(b.Frontiers)+len(b.Notes)+len(b.Forget) > MaxBatch {
		return fmt.Errorf("a batch of %d records and %d frontiers; %d are allowed", len(b.Records), len(b.Frontiers)+len(b.Forget), MaxBatch)
	}
	var form [rescind.RecordSize]byte
	for _, r := range b.Records {
		if _, err := rescind.RecordOf(r.Append(form[:0])); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	return nil
}

// fill writes b into a batch of Pebble's.
func (b Batch) fill(to *pebble.Batch) error {
	var errs []error
	for _, r := range b.Records {
		errs = append(errs, to.Merge(recordKey(r), recordValue(r), nil))
	}
	if b.Own > 0 {
		errs = append(errs, to.Merge(keyOwn, binary.BigEndian.AppendUint64(nil, b.Own), nil))
	}
	if b.Complete {
		errs = append(errs, to.Set(keyComplete, []byte{1}, nil))
	}
	if b.Roll != nil {
		errs = append(errs, to.Set(keyRoll, b.Roll, nil))
	}
	for _, f := range b.Frontiers {
		errs = append(errs, to.Merge(frontierKey(f.Origin), frontierValue(f), nil))
	}
	for _, n := range b.Notes {
		errs = append(errs, to.Set(noteKey(n.Origin), noteValue(n), nil))
	}
	for _, o := range b.Forget {
		errs = append(errs, to.Delete(frontierKey(o), nil), to.Delete(noteKey(o), nil))
	}
	return errors.Join(errs...)
}

// Commit makes b durable: once it returns nil, b survives a crash as a whole.
// Commits may run at once, also of one digest, and then share an fsync.
//
// After an error that is ErrFailed, b may be there or not after a restart, and
// every later call fails likewise. A batch that is too large or holds a record
// that is none is refused, and the store goes on.
func (s *Store) Commit(b Batch) error {
	if err := b.Validate(); err != nil {
		return err
	}
	err := s.shared(func() error { return s.write("commit", b.fill, pebble.Sync) })
	if err == nil {
		s.counters.commits.Add(1)
	}
	return err
}

// Drop forgets the records whose expiry bucket has lapsed as a whole at now; a
// clock that was set back drops nothing. It does not wait for the disk: a crash
// may bring dropped records back, which Load then leaves out. Its errors are
// those of Commit.
func (s *Store) Drop(now rescind.Millis) error {
	return s.shared(func() error {
		start, end := bucketKey(0), lapsedEnd(now)
		some, err := s.any(start, end)
		if err != nil || !some { // a range deletion a minute of nothing would add up
			return err
		}
		return s.write("drop lapsed revocations", func(b *pebble.Batch) error {
			return b.DeleteRange(start, end, nil)
		}, pebble.NoSync)
	})
}

// any reports whether there is a key from start to before end.
func (s *Store) any(start, end []byte) (bool, error) {
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		return false, fmt.Errorf("look for lapsed revocations: %w", corrupt(err))
	}
	some := iter.First()
	if err := iter.Close(); err != nil {
		return false, fmt.Errorf("look for lapsed revocations: %w", corrupt(err))
	}
	return some, nil
}

// shared runs f while the store can't be closed.
func (s *Store) shared(f func() error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	return f()
}

// write commits what fill puts into a batch. The fence is asked before, so that
// nothing is tried after a failure, and after, because Pebble does not know of
// failures: the fence learns of one before any commit that it may concern
// returns.
func (s *Store) write(what string, fill func(*pebble.Batch) error, sync *pebble.WriteOptions) error {
	err := s.fence.err()
	if err == nil {
		err = guard(func() error {
			batch := s.db.NewBatch()
			if err := fill(batch); err != nil {
				return errors.Join(err, batch.Close())
			}
			return errors.Join(batch.Commit(sync), batch.Close())
		})
		if err != nil {
			s.fence.trip(err)
		}
		err = s.fence.err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrFailed, err)
	}
	return nil
}
