package filter

import (
	"encoding/binary"
	"unsafe"

	"rescind"
)

// sumOf returns the sum of one record. A set keeps its sums incrementally: they
// follow each record that comes or goes.
func (h Hasher) sumOf(r rescind.Record) rescind.Sum {
	var b [rescind.RecordSize]byte
	binary.LittleEndian.PutUint64(b[0:], r.Digest.Hi)
	binary.LittleEndian.PutUint64(b[8:], r.Digest.Lo)
	binary.LittleEndian.PutUint64(b[16:], uint64(r.IssuedBefore))
	binary.LittleEndian.PutUint64(b[24:], uint64(r.ExpiresAt))
	hi, state := sip13(h.k0, h.k1, unsafe.String(&b[0], len(b)))
	return rescind.Sum{Hi: hi, Lo: state.rest(), Count: 1}
}

// sums holds the sum of each bucket of one shard that is not empty.
type sums map[rescind.Bucket]rescind.Sum

func (s sums) add(h Hasher, r rescind.Record) {
	b := rescind.BucketOf(r.ExpiresAt)
	s[b] = s[b].Plus(h.sumOf(r))
}

func (s sums) remove(h Hasher, r rescind.Record) {
	b := rescind.BucketOf(r.ExpiresAt)
	if left := s[b].Minus(h.sumOf(r)); left.Count > 0 {
		s[b] = left
	} else {
		delete(s, b)
	}
}
