package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"rescind"
	"rescind/internal/identity"
)

// Position is a place in an origin's streams: the first Seq records of Epoch.
type Position struct{ Epoch, Seq uint64 }

// Frontier says that everything of an origin's streams up to Position is held.
type Frontier struct {
	Origin uint64
	Position
}

// Note is what is kept of a member beside its frontier. What Fate means is gossip's.
type Note struct {
	Origin uint64
	Name   string
	Fate   uint8
	Epoch  uint64 // in which it was last heard
	Heard  rescind.Millis
}

// Identity names a data folder and the time since it was opened.
type Identity struct {
	Origin uint64 // that of Key, never 0

	// Key is made with the folder. A folder of a version that made none gets one when
	// it is opened, and with it a new origin, which builds on what the folder held:
	// Previous stays, so others ask it for that.
	Key identity.Key

	// Epoch is the larger of the stored one plus 1 and Unix milliseconds, so
	// that a folder rolled back to an older copy does not repeat one as long as
	// the clock moved on.
	Epoch uint64

	// Previous is the epoch before, and the last own number that was durable in
	// it; zero in a new folder.
	Previous Position

	// Complete says that a node was once ready with this folder, so that it held
	// all that there was. What else is in it may be a part of a transfer that was
	// interrupted. Folders of versions that did not note it count as complete.
	Complete bool
}

// meta is the identity as stored under keyMeta.
type meta struct {
	format        uint64
	origin, epoch uint64
	keyCheck      [16]byte
}

func (m meta) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, m.format)
	b = binary.BigEndian.AppendUint64(b, m.origin)
	b = binary.BigEndian.AppendUint64(b, m.epoch)
	return append(b, m.keyCheck[:]...)
}

// metaOf reads what append wrote. Of another format only the number is read.
func metaOf(b []byte) (meta, error) {
	if len(b) < 8 {
		return meta{}, damaged("an identity of %d bytes", len(b))
	}
	m := meta{format: binary.BigEndian.Uint64(b)}
	if m.format != format {
		return m, fmt.Errorf("%w: format %d instead of %d", ErrFormat, m.format, format)
	}
	if len(b) != 40 {
		return m, damaged("an identity of %d bytes", len(b))
	}
	m.origin = binary.BigEndian.Uint64(b[8:])
	m.epoch = binary.BigEndian.Uint64(b[16:])
	m.keyCheck = [16]byte(b[24:])
	if m.origin == 0 || m.epoch == math.MaxUint64 {
		return m, damaged("identity %x in epoch %d", m.origin, m.epoch)
	}
	return m, nil
}

// begin reads the identity, or makes it in a new folder, and starts the next
// epoch.
func (s *Store) begin(opt Options) error {
	m, own, err := s.readIdentity(opt.KeyCheck)
	if err != nil {
		return err
	}
	if m.keyCheck != opt.KeyCheck {
		return ErrOtherCluster
	}
	s.identity.Previous = Position{m.epoch, own}
	complete, err := s.readComplete()
	if err != nil {
		return err
	}
	if err := s.readKey(m.origin); err != nil {
		return err
	}
	if m.epoch > 0 && m.origin != s.identity.Origin {
		s.log.Info("the data folder has got a key, and with it a new identity", "before", fmt.Sprintf("%016x", m.origin))
	}
	m.origin = s.identity.Origin
	m.epoch = max(m.epoch+1, uint64(max(opt.Now().UnixMilli(), 0)))
	s.identity.Epoch = m.epoch
	s.identity.Complete = complete == 1
	seed := s.identity.Key.Seed()
	err = s.write("raise the epoch", func(b *pebble.Batch) error {
		return errors.Join(
			b.Set(keyComplete, []byte{complete}, nil),
			b.Set(keySeed, seed[:], nil),
			b.Set(keyMeta, m.append(nil), nil),
			b.Set(keyOwn, make([]byte, 8), nil), // a set, not a merge: numbers start again
		)
	}, pebble.Sync)
	if err != nil || s.identity.Previous.Epoch > 0 {
		return err
	}
	// Pebble writes the first log of a new folder in an older form, in which
	// damage passes for a torn end more easily. Nothing else is in it yet.
	return errors.Join(s.flush(), s.fence.err())
}

// readKey reads the folder's key, which speaks for the given origin, or makes one.
func (s *Store) readKey(origin uint64) error {
	stored, err := s.get(keySeed)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		s.identity.Key = identity.New()
	case err != nil:
		return fmt.Errorf("read the folder's key: %w", corrupt(err))
	case len(stored) != identity.SeedSize:
		return damaged("a key of %d bytes", len(stored))
	default:
		s.identity.Key = identity.Of([identity.SeedSize]byte(stored))
		if s.identity.Key.Origin() != origin {
			return damaged("a key of %016x in the folder of %016x", s.identity.Key.Origin(), origin)
		}
	}
	s.identity.Origin = s.identity.Key.Origin()
	return nil
}

func (s *Store) readIdentity(keyCheck [16]byte) (m meta, own uint64, err error) {
	stored, err := s.get(keyMeta)
	if errors.Is(err, pebble.ErrNotFound) {
		return meta{format: format, keyCheck: keyCheck}, 0, s.mustBeEmpty()
	}
	if err != nil {
		return m, 0, fmt.Errorf("read the identity: %w", corrupt(err))
	}
	if m, err = metaOf(stored); err != nil {
		return m, 0, err
	}
	number, err := s.get(keyOwn)
	if err != nil || len(number) != 8 {
		return m, 0, damaged("no last own number (%v)", err)
	}
	return m, binary.BigEndian.Uint64(number), nil
}

// readComplete returns what keyComplete is to say: 0 in a new folder, 1 in one of a
// version that did not write it.
func (s *Store) readComplete() (byte, error) {
	value, err := s.get(keyComplete)
	switch {
	case errors.Is(err, pebble.ErrNotFound) && s.identity.Previous.Epoch == 0:
		return 0, nil
	case errors.Is(err, pebble.ErrNotFound):
		return 1, nil
	case err != nil:
		return 0, fmt.Errorf("read whether the folder is complete: %w", corrupt(err))
	case len(value) != 1 || value[0] > 1:
		return 0, damaged("%x for whether the folder is complete", value)
	}
	return value[0], nil
}

// mustBeEmpty keeps a folder that lost its identity from passing for a new one.
func (s *Store) mustBeEmpty() error {
	iter, err := s.db.NewIter(nil)
	if err != nil {
		return corrupt(err)
	}
	found := iter.First()
	if err := iter.Close(); err != nil {
		return corrupt(err)
	}
	if found {
		return damaged("records but no identity")
	}
	return nil
}

func (s *Store) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if err != nil {
		return nil, err
	}
	value = append([]byte(nil), value...)
	return value, closer.Close()
}
