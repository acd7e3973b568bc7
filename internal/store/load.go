package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"rescind"
)

// Load yields every record that has not lapsed at now, as of the call, in the
// order of their expiry buckets. One digest may come several times, in different
// buckets: the caller joins. It returns the frontiers of the other nodes'
// streams as of the same moment or before: what they claim is among the records.
//
// It reads as much as there is and holds one block at a time. yield must not
// call the store. After ErrCorrupt the caller must not go on with what it got,
// since records are missing.
func (s *Store) Load(now rescind.Millis, yield func(rescind.Record)) (frontiers []Frontier, err error) {
	err = s.shared(func() error {
		err := s.scan([]byte{prefixFrontier}, []byte{prefixFrontier + 1}, func(key, value []byte) error {
			f, err := frontierOf(key, value)
			frontiers = append(frontiers, f)
			return err
		})
		if err != nil {
			return fmt.Errorf("read the frontiers: %w", err)
		}
		err = s.scan(lapsedEnd(now), []byte{prefixRecord + 1}, func(key, value []byte) error {
			r, err := recordOf(key, value)
			if err == nil && !r.Lapsed(now) {
				yield(r)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read the revocations: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return frontiers, nil
}

// Notes returns what is kept of members, by origin.
func (s *Store) Notes() (notes []Note, err error) {
	err = s.shared(func() error {
		return s.scan([]byte{prefixNote}, []byte{prefixNote + 1}, func(key, value []byte) error {
			n, err := noteOf(key, value)
			notes = append(notes, n)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read what is known of members: %w", err)
	}
	return notes, nil
}

// Roll returns the latest Batch.Roll, or nil if there has been none.
func (s *Store) Roll() (roll []byte, err error) {
	err = s.shared(func() error {
		roll, err = s.get(keyRoll)
		if errors.Is(err, pebble.ErrNotFound) {
			roll, err = nil, nil
		}
		return corrupt(err)
	})
	if err != nil {
		return nil, fmt.Errorf("read what is known of the named members: %w", err)
	}
	return roll, nil
}

// scan calls f for every key from start to before end.
func (s *Store) scan(start, end []byte, f func(key, value []byte) error) (err error) {
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		return corrupt(err)
	}
	defer func() {
		if closed := iter.Close(); err == nil {
			err = corrupt(closed)
		}
	}()
	for iter.First(); iter.Valid(); iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return corrupt(err)
		}
		if err := f(iter.Key(), value); err != nil {
			return err
		}
	}
	return nil
}
