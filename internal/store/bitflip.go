package store

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mask is how Pebble stores a checksum; unmask undoes it.
func mask(sum uint32) uint32   { return bits.RotateLeft32(sum, -15) + 0xa282ead8 }
func unmask(sum uint32) uint32 { return bits.RotateLeft32(sum-0xa282ead8, 15) }

// A disk writes whole sectors. A write that was torn between two left old bytes
// in one of them; only if those are few may they differ from the new ones by a
// single bit, and not be damage.
const (
	sector = 512
	few    = 32
)

// oneBitOff reports whether one flipped bit makes the bytes at i a chunk. Such a
// chunk was complete and has been damaged since.
func (c chunks) oneBitOff(i int) bool {
	if i+c.form.header > len(c.data) {
		return false
	}
	stored, length := binary.LittleEndian.Uint32(c.data[i:]), c.length(i)
	if body := c.at(i, length); body != nil {
		end, sum := i+checksumFrom+len(body), crc32.Checksum(body, castagnoli)
		if c.mine(body) && bits.OnesCount32(stored^mask(sum)) == 1 && !c.tearable(i, i, end) {
			return true
		}
		if at := c.flipExplains(body, sum^unmask(stored)); at >= 0 && !c.tearable(i+checksumFrom+at, i, end) {
			return true
		}
	}
	for bit := range 16 { // the length is not covered by the checksum
		body := c.at(i, length^1<<bit)
		if body != nil && c.mine(body) && stored == mask(crc32.Checksum(body, castagnoli)) {
			return !c.tearable(i+4, i, i+checksumFrom+len(body))
		}
	}
	return false
}

// tearable reports whether the byte at may be an old one in the chunk from start
// to end. Behind a manifest there is nothing old but zeros.
func (c chunks) tearable(at, start, end int) bool {
	from, to := max(at/sector*sector, start), min((at/sector+1)*sector, end)
	return to-from < few && (c.form.numbered || zero(c.data[from:to]))
}

// flipExplains returns where in body there is a bit that changes its checksum by
// diff, if body with that bit flipped is a chunk of this file, else -1.
//
// A checksum is linear, so that the change depends on the distance from the end
// alone: it is that of a last byte with this bit set, moved on by a zero byte for
// each byte of distance.
func (c chunks) flipExplains(body []byte, diff uint32) int {
	var moved [8]uint32
	for bit := range moved {
		moved[bit] = castagnoli[1<<bit]
	}
	for at := len(body) - 1; at >= 0; at-- {
		for bit, m := range moved {
			if m == diff && c.mineWith(body, at, bit) {
				return at
			}
			moved[bit] = castagnoli[byte(m)] ^ m>>8
		}
	}
	return -1
}

func (c chunks) mineWith(body []byte, at, bit int) bool {
	head := append([]byte(nil), body[:c.form.header-checksumFrom]...)
	if at < len(head) {
		head[at] ^= 1 << bit
	}
	return c.mine(head)
}
