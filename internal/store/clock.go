package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"rescind"
)

// Clock is what the folder remembers of the wall clock, so that a node that starts
// with one that is far ahead does not take what it holds for lapsed. The zero
// value is that of a new folder.
type Clock struct {
	// Confirmed is the time up to which records in memory have lapsed.
	Confirmed rescind.Millis

	// Waiting is the time up to which records on disk will have lapsed once it has
	// waited long enough, and Waited for how long the node has run meanwhile.
	Waiting rescind.Millis
	Waited  time.Duration
}

func (c Clock) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(c.Confirmed))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Waiting))
	return binary.BigEndian.AppendUint64(b, uint64(c.Waited))
}

func clockOf(b []byte) (Clock, error) {
	if len(b) != 24 {
		return Clock{}, damaged("a clock of %d bytes", len(b))
	}
	c := Clock{
		Confirmed: rescind.Millis(binary.BigEndian.Uint64(b)),
		Waiting:   rescind.Millis(binary.BigEndian.Uint64(b[8:])),
		Waited:    time.Duration(binary.BigEndian.Uint64(b[16:])),
	}
	if c.Confirmed < 0 || c.Waiting < 0 || c.Waited < 0 {
		return Clock{}, damaged("a clock before 1970")
	}
	return c, nil
}

// Clock returns what KeepClock has stored last, or an older one if the machine has
// crashed since.
func (s *Store) Clock() (c Clock, err error) {
	err = s.shared(func() error {
		b, err := s.get(keyClock)
		if errors.Is(err, pebble.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the clock of the folder: %w", corrupt(err))
		}
		c, err = clockOf(b)
		return err
	})
	return c, err
}

// KeepClock stores c. It does not wait for the disk: after a crash an older one
// only keeps records longer. Its errors are those of Commit.
func (s *Store) KeepClock(c Clock) error {
	return s.shared(func() error {
		return s.write("store the clock", func(b *pebble.Batch) error { return b.Set(keyClock, c.append(nil), nil) }, pebble.NoSync)
	})
}
