package store

import (
	"bytes"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// joins makes Pebble join values of one key instead of letting the last one
// win. Hence two commits of one digest may run at once: whichever comes second,
// both are contained in what is read. Its name is stored in the folder and
// never changes.
var joins = &pebble.Merger{Name: "rescind.join", Merge: newJoin}

// join is the maximum of the values of one key, field by field.
type join struct {
	// field is how many bytes are compared at a time. Numbers are big-endian
	// and not negative, so that their order is that of their bytes.
	field int
	value []byte
}

func newJoin(key, value []byte) (pebble.ValueMerger, error) {
	j := &join{field: 8, value: bytes.Clone(value)}
	switch {
	case len(key) > 0 && key[0] == prefixRecord && len(value) == 16: // each time by itself
	case len(key) > 0 && key[0] == prefixFrontier && len(value) == 16: // the epoch before the number
		j.field = 16
	case len(key) > 0 && key[0] == prefixOwn && len(value) == 8:
	default:
		return nil, damaged("key %x with a value of %d bytes", key, len(value))
	}
	return j, nil
}

func (j *join) merge(value []byte) error {
	if len(value) != len(j.value) {
		return damaged("values of %d and %d bytes under one key", len(j.value), len(value))
	}
	for i := 0; i < len(value); i += j.field {
		if v := value[i : i+j.field]; bytes.Compare(v, j.value[i:i+j.field]) > 0 {
			copy(j.value[i:], v)
		}
	}
	return nil
}

func (j *join) MergeNewer(value []byte) error { return j.merge(value) }
func (j *join) MergeOlder(value []byte) error { return j.merge(value) }

func (j *join) Finish(bool) ([]byte, io.Closer, error) { return j.value, nil, nil }
