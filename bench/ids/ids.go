// Package ids makes identifiers: distinct, as long as UUIDs, and as many as wanted
// without keeping them.
package ids

import (
	"encoding/binary"
	"unsafe"
)

// The shape of identifiers and of those that a Source makes.
const (
	Len        = 36      // as a UUID
	OneIn      = 128     // of so many identifiers that are checked, one is revoked
	AbsentFrom = 1 << 40 // identifiers from here on are not in the sets at first
)

// Identifier returns the i-th of a series of distinct identifiers.
func Identifier(i uint64) string {
	text := template
	binary.LittleEndian.PutUint64(text[varies:], Scramble(i))
	return string(text[:])
}

var template = [Len]byte([]byte("3f2c9a1e-77d0-4b--------1c6d2e9fb0a4"))

const varies = 16 // where the bytes begin that differ

// Scramble is a bijection (splitmix64; Steele, Lea and Flood, 2014).
func Scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Source makes identifiers to check, a chunk at a time: like those of a token
// that has just been parsed they are in the processor's cache, and like those
// of strangers no two are the same, so what a set must read for them is not.
type Source struct {
	n       uint64 // identifiers 0 to n-1 are revoked
	state   uint64
	IDs     [Chunk]string
	texts   [Chunk][Len]byte
	Revoked int // how many of IDs are
	OneIn   uint64
}

// Chunk is how many a Source makes at once.
const Chunk = 256

// NewSource returns a Source for sets that hold the identifiers 0 to n-1.
func NewSource(n int, seed uint64) *Source {
	s := &Source{n: uint64(n), state: Scramble(seed), OneIn: OneIn}
	for i := range s.texts {
		s.texts[i] = template
		s.IDs[i] = unsafe.String(&s.texts[i][0], Len)
	}
	return s
}

// Next makes the next chunk in IDs. The last one is gone.
func (s *Source) Next() {
	s.Revoked = 0
	for k := range s.texts {
		s.state += 0x9e3779b97f4a7c15
		x := Scramble(s.state)
		i := x | 1<<63
		if x%s.OneIn == 0 {
			i = x / s.OneIn % s.n
			s.Revoked++
		}
		binary.LittleEndian.PutUint64(s.texts[k][varies:], Scramble(i))
	}
}
