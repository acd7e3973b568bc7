package main

import (
	"encoding/binary"
	"unsafe"
)

const (
	idLen      = 36      // as a UUID
	oneIn      = 128     // of so many identifiers that are checked, one is revoked
	absentFrom = 1 << 40 // identifiers from here on are not in the sets at first
)

// identifier returns the i-th of a series of distinct identifiers.
func identifier(i uint64) string {
	text := template
	binary.LittleEndian.PutUint64(text[varies:], scramble(i))
	return string(text[:])
}

var template = [idLen]byte([]byte("3f2c9a1e-77d0-4b--------1c6d2e9fb0a4"))

const varies = 16 // where the bytes begin that differ

// scramble is a bijection (splitmix64; Steele, Lea and Flood, 2014).
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// source makes identifiers to check, a chunk at a time: like those of a token
// that has just been parsed they are in the processor's cache, and like those
// of strangers no two are the same, so what a set must read for them is not.
type source struct {
	n       uint64 // identifiers 0 to n-1 are revoked
	state   uint64
	ids     [chunk]string
	texts   [chunk][idLen]byte
	revoked int // how many of ids are
	oneIn   uint64
}

const chunk = 256

// newSource returns a source for sets that hold the identifiers 0 to n-1.
func newSource(n int, seed uint64) *source {
	s := &source{n: uint64(n), state: scramble(seed), oneIn: oneIn}
	for i := range s.texts {
		s.texts[i] = template
		s.ids[i] = unsafe.String(&s.texts[i][0], idLen)
	}
	return s
}

// next makes the next chunk in ids. The last one is gone.
func (s *source) next() {
	s.revoked = 0
	for k := range s.texts {
		s.state += 0x9e3779b97f4a7c15
		x := scramble(s.state)
		i := x | 1<<63
		if x%s.oneIn == 0 {
			i = x / s.oneIn % s.n
			s.revoked++
		}
		binary.LittleEndian.PutUint64(s.texts[k][varies:], scramble(i))
	}
}
