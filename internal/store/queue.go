package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"

	"github.com/cockroachdb/pebble/v2"
)

// MaxQueued bounds the value of an entry of a queue, in bytes.
const MaxQueued = 64 << 10

// Queued is an entry of a queue: the store keeps some beside the revocations, by
// name, in the order of their numbers.
type Queued struct {
	Queue string // 1 to 64 letters, digits, - and _
	Seq   uint64 // chosen by the caller; an entry that has it already is replaced
	Value []byte // at most MaxQueued
}

var queueNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// queueKey is where an entry is kept. The NUL keeps a queue from another whose
// name goes on.
func queueKey(queue string, seq uint64) []byte {
	key := append([]byte{prefixQueue}, queue...)
	return binary.BigEndian.AppendUint64(append(key, 0), seq)
}

// Enqueue makes entries durable, all or none of them; its errors are those of
// Commit.
func (s *Store) Enqueue(entries []Queued) error {
	if len(entries) > MaxBatch {
		return fmt.Errorf("enqueue %d entries; %d are allowed", len(entries), MaxBatch)
	}
	for _, e := range entries {
		if !queueNames.MatchString(e.Queue) || len(e.Value) > MaxQueued {
			return fmt.Errorf("enqueue %d bytes in %.80q; use letters, digits, - and _, and at most %d bytes", len(e.Value), e.Queue, MaxQueued)
		}
	}
	return s.shared(func() error {
		return s.write("enqueue", func(b *pebble.Batch) error {
			var errs []error
			for _, e := range entries {
				errs = append(errs, b.Set(queueKey(e.Queue, e.Seq), e.Value, nil))
			}
			return errors.Join(errs...)
		}, pebble.Sync)
	})
}

// Dequeue removes entries, whatever their Value. It does not wait for the disk: a
// crash may bring them back.
func (s *Store) Dequeue(entries []Queued) error {
	return s.shared(func() error {
		return s.write("dequeue", func(b *pebble.Batch) error {
			var errs []error
			for _, e := range entries {
				errs = append(errs, b.Delete(queueKey(e.Queue, e.Seq), nil))
			}
			return errors.Join(errs...)
		}, pebble.NoSync)
	})
}

var errEnough = errors.New("enough")

// ReadQueue yields the entries of a queue from the number on, in order, until
// yield returns false. yield must neither keep the value nor call the store.
func (s *Store) ReadQueue(queue string, from uint64, yield func(seq uint64, value []byte) bool) error {
	end := append(append([]byte{prefixQueue}, queue...), 1)
	err := s.shared(func() error {
		return s.scan(queueKey(queue, from), end, func(key, value []byte) error {
			if !yield(binary.BigEndian.Uint64(key[len(key)-8:]), value) {
				return errEnough
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("read a queue: %w", err)
	}
	return nil
}
