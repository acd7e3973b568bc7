package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"rescind"
)

// format is the version of the stored form. The keys are:
//
//	m                       identity, see meta
//	o                       own number of the last commit, 8 bytes
//	f <origin 8>            frontier: epoch 8, seq 8
//	r <bucket 8> <digest 16>  record: issued before 8, expires at 8
//
// All numbers are big-endian. A record whose expiry is raised is written again
// in its new bucket; the old one stays until its bucket goes, which is harmless
// because records join.
const format = 1

const (
	prefixFrontier = 'f'
	prefixRecord   = 'r'
)

var (
	keyMeta = []byte{'m'}
	keyOwn  = []byte{'o'}
)

// bucketWidth is how much later than its time a record may leave the disk.
const bucketWidth = 10 * time.Minute

func bucketOf(t rescind.Millis) uint64 { return uint64(max(t, 0)) / uint64(bucketWidth.Milliseconds()) }

func bucketKey(bucket uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixRecord}, bucket)
}

func recordKey(r rescind.Record) []byte { return r.Digest.Append(bucketKey(bucketOf(r.ExpiresAt))) }

func recordValue(r rescind.Record) []byte { return r.Append(nil)[16:] }

var errDamaged = errors.New("the store holds an entry that this software does not write")

func recordOf(key, value []byte) (rescind.Record, error) {
	if len(key) != 25 || len(value) != 16 {
		return rescind.Record{}, errDamaged
	}
	r, err := rescind.RecordOf(append(key[9:25:25], value...))
	if err != nil {
		return r, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return r, nil
}

func frontierKey(origin uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixFrontier}, origin)
}

func frontierValue(f Frontier) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, f.Epoch), f.Seq)
}

func frontierOf(key, value []byte) (Frontier, error) {
	if len(key) != 9 || len(value) != 16 {
		return Frontier{}, errDamaged
	}
	return Frontier{
		Origin:   binary.BigEndian.Uint64(key[1:]),
		Position: Position{binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])},
	}, nil
}

// meta is the identity as stored, with the number of the last own record,
// which is stored apart because every commit moves it.
type meta struct {
	format        uint64
	origin, epoch uint64
	keyCheck      [16]byte

	own uint64
}

func (m *meta) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, m.format)
	b = binary.BigEndian.AppendUint64(b, m.origin)
	b = binary.BigEndian.AppendUint64(b, m.epoch)
	return append(b, m.keyCheck[:]...)
}

// readMeta returns nil in a new folder.
func (s *Store) readMeta() (*meta, error) {
	value, err := s.get(keyMeta)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the identity: %w", err)
	}
	if len(value) < 8 {
		return nil, errDamaged
	}
	m := &meta{format: binary.BigEndian.Uint64(value)}
	if m.format != format {
		return m, nil
	}
	if len(value) != 40 {
		return nil, errDamaged
	}
	m.origin = binary.BigEndian.Uint64(value[8:])
	m.epoch = binary.BigEndian.Uint64(value[16:])
	m.keyCheck = [16]byte(value[24:])
	own, err := s.get(keyOwn)
	if err != nil || len(own) != 8 {
		return nil, fmt.Errorf("read the last own number: %w", errors.Join(err, errDamaged))
	}
	m.own = binary.BigEndian.Uint64(own)
	return m, nil
}

func (s *Store) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if err != nil {
		return nil, err
	}
	value = append([]byte(nil), value...)
	return value, closer.Close()
}

// logger passes Pebble's words on. A fatal error must not end the embedding
// process by os.Exit: on a caller's goroutine it becomes that call's error, on
// one of Pebble's own it is a panic, since the store can't go on.
type logger struct{ log *slog.Logger }

func (l logger) Infof(f string, args ...any)  { l.log.Debug("store: " + fmt.Sprintf(f, args...)) }
func (l logger) Errorf(f string, args ...any) { l.log.Error("store: " + fmt.Sprintf(f, args...)) }
func (l logger) Fatalf(f string, args ...any) { panic(fatal{fmt.Errorf(f, args...)}) }

// fatal is what logger.Fatalf panics with.
type fatal struct{ error }

// recoverFatal turns a fatal error on this goroutine into err.
func recoverFatal(err *error) {
	switch v := recover().(type) {
	case nil:
	case fatal:
		*err = v.error
	default:
		panic(v)
	}
}
