package filter

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// sipState is SipHash-1-3-128 after its first 64 bits of output: rest turns it
// into the other 64. A look-up that the Bloom filter answers never needs them,
// and saves a quarter of the hash.
type sipState struct{ v0, v1, v2, v3 uint64 }

// sip13 returns the first 64 bits of SipHash-1-3-128 of s under the key
// (k0, k1), and what it takes to compute the others: Aumasson and Bernstein,
// "SipHash: a fast short-input PRF", 2012, with one compression round for each
// 8 bytes and three rounds of finalisation for each half.
func sip13(k0, k1 uint64, s string) (uint64, sipState) {
	// 0xee and, in rest, 0xdd mark the 128-bit variant.
	v0, v1 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d^0xee
	v2, v3 := k0^0x6c7967656e657261, k1^0x7465646279746573

	p := unsafe.Pointer(unsafe.StringData(s))
	for i := 0; i+8 <= len(s); i += 8 {
		m := littleEndian(p, i)
		v3 ^= m
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= m
	}
	m := uint64(len(s)) << 56
	if len(s) >= 8 {
		// The last 8 bytes, without those that have been taken: no loop over the
		// rest, whose length no processor could predict.
		m |= littleEndian(p, len(s)-8) >> 8 >> (8 * (^len(s) & 7))
	} else {
		for k := range len(s) {
			m |= uint64(s[k]) << (8 * k)
		}
	}
	v3 ^= m
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= m

	v2 ^= 0xee
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3, sipState{v0, v1, v2, v3}
}

// littleEndian reads the 8 bytes at p+i, which must be there.
func littleEndian(p unsafe.Pointer, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(p, i))[:])
}

// rest returns the last 64 bits of the hash.
func (s sipState) rest() uint64 {
	v0, v1, v2, v3 := s.v0, s.v1^0xdd, s.v2, s.v3
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v1
	v0 += v3
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 = bits.RotateLeft64(v2, 32)
	return v0, v1, v2, v3
}
