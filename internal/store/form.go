package store

import (
	"encoding/binary"
	"fmt"
	"time"

	"rescind"
)

// format is the version of the stored form. The keys are:
//
//	m                         identity, see meta
//	k                         the seed of the folder's key, 32 bytes; missing in those of older versions
//	c                         0 in a new folder, 1 once it was complete; missing in those of older versions
//	o                         own number of the last commit, 8 bytes
//	t                         clock, see Clock: confirmed 8, waiting 8, waited 8
//	n                         what a named member knows of the members, opaque here
//	f <origin 8>              frontier: epoch 8, seq 8
//	g <origin 8>              note of that member: fate 1, epoch 8, heard 8, name; missing in folders of older versions
//	q <name> NUL <number 8>   entry of a queue, see Queued
//	r <bucket 8> <digest 16>  record: issued before 8, expires at 8
//
// All numbers are big-endian. A record whose expiry moves to a later bucket is
// written again there; the old one stays until its bucket goes, which is
// harmless because records join.
const format = 1

const (
	prefixComplete = 'c'
	prefixFrontier = 'f'
	prefixNote     = 'g'
	prefixSeed     = 'k'
	prefixRoll     = 'n'
	prefixOwn      = 'o'
	prefixQueue    = 'q'
	prefixRecord   = 'r'
)

var (
	keyMeta     = []byte{'m'}
	keySeed     = []byte{prefixSeed}
	keyOwn      = []byte{prefixOwn}
	keyRoll     = []byte{prefixRoll}
	keyClock    = []byte{'t'}
	keyComplete = []byte{prefixComplete}
)

// BucketWidth is how much later than its time a record may leave the disk. A
// wider bucket keeps the dead longer; a narrower one costs more range
// deletions and lets more records be stored twice when their expiry moves.
const BucketWidth = 10 * time.Minute

// bucketOf returns the bucket of the records that expire at t.
func bucketOf(t rescind.Millis) uint64 {
	return uint64(max(t, 0)) / uint64(BucketWidth.Milliseconds())
}

// bucketKey is where bucket starts.
func bucketKey(bucket uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixRecord}, bucket)
}

// lapsedEnd is where the first bucket starts that may hold a record which has
// not lapsed at now: all before it is dead.
func lapsedEnd(now rescind.Millis) []byte {
	margin := rescind.Millis(rescind.RetentionMargin.Milliseconds())
	if now < margin { // the subtraction could wrap round and everything look lapsed
		return bucketKey(0)
	}
	return bucketKey(bucketOf(now - margin))
}

func recordKey(r rescind.Record) []byte { return r.Digest.Append(bucketKey(bucketOf(r.ExpiresAt))) }

func recordValue(r rescind.Record) []byte { return r.Append(nil)[16:] }

// damaged says what was found that this software does not write.
func damaged(what string, args ...any) error {
	return fmt.Errorf("%w: found "+what, append([]any{ErrCorrupt}, args...)...)
}

func recordOf(key, value []byte) (rescind.Record, error) {
	if len(key) != 25 || len(value) != 16 {
		return rescind.Record{}, damaged("a record of %d and %d bytes", len(key), len(value))
	}
	var b [rescind.RecordSize]byte
	copy(b[:16], key[9:])
	copy(b[16:], value)
	r, err := rescind.RecordOf(b[:])
	if err != nil {
		return r, damaged("a %w", err)
	}
	if bucketOf(r.ExpiresAt) != binary.BigEndian.Uint64(key[1:]) {
		return r, damaged("a record in another bucket than that of its expiry")
	}
	return r, nil
}

func frontierKey(origin uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixFrontier}, origin)
}

func frontierValue(f Frontier) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, f.Epoch), f.Seq)
}

func noteKey(origin uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixNote}, origin)
}

func noteValue(n Note) []byte {
	b := binary.BigEndian.AppendUint64([]byte{n.Fate}, n.Epoch)
	return append(binary.BigEndian.AppendUint64(b, uint64(n.Heard)), n.Name...)
}

func noteOf(key, value []byte) (Note, error) {
	if len(key) != 9 || len(value) < 17 {
		return Note{}, damaged("a note of %d and %d bytes", len(key), len(value))
	}
	return Note{
		Origin: binary.BigEndian.Uint64(key[1:]), Fate: value[0], Epoch: binary.BigEndian.Uint64(value[1:]),
		Heard: rescind.Millis(binary.BigEndian.Uint64(value[9:])), Name: string(value[17:]),
	}, nil
}

func frontierOf(key, value []byte) (Frontier, error) {
	if len(key) != 9 || len(value) != 16 {
		return Frontier{}, damaged("a frontier of %d and %d bytes", len(key), len(value))
	}
	return Frontier{
		Origin:   binary.BigEndian.Uint64(key[1:]),
		Position: Position{binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])},
	}, nil
}
