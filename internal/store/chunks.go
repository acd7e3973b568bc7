package store

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// Pebble's logs and manifests are blocks of 32 KiB, filled with chunks of
//
//	checksum 4, length 2, kind 1, payload                                   manifest
//	checksum 4, length 2, kind 1, log number 4, synced offset 8, payload    log
//
// little-endian, where the checksum covers all from kind on. "Synced offset" is
// how much of the log was surely synced when the chunk was written. A block that
// has no room for another header ends in zeros. A log may be a used file written
// over: what follows its end then has another log number.
const (
	blockLen     = 32 << 10
	checksumFrom = 6 // of a header
)

// chunkForm tells the two apart.
type chunkForm struct {
	header           int
	minKind, maxKind byte
	numbered         bool // has log number and synced offset
}

var (
	manifestForm = chunkForm{header: 7, minKind: 1, maxKind: 4}
	logForm      = chunkForm{header: 19, minKind: 9, maxKind: 12, numbered: true}
)

// chunks is the contents of a log or manifest.
type chunks struct {
	data   []byte
	number uint32
	form   chunkForm
}

// at returns the bytes of the chunk at i that the checksum covers, or nil if
// there can't be one.
func (c chunks) at(i, length int) []byte {
	end := i + c.form.header + length
	if end > len(c.data) || end > (i/blockLen+1)*blockLen {
		return nil
	}
	return c.data[i+checksumFrom : end]
}

func (c chunks) length(i int) int { return int(binary.LittleEndian.Uint16(c.data[i+4:])) }

// mine reports whether body can be a chunk of this file, checksum apart.
func (c chunks) mine(body []byte) bool {
	kind := body[0]
	return kind >= c.form.minKind && kind <= c.form.maxKind &&
		(!c.form.numbered || binary.LittleEndian.Uint32(body[1:]) == c.number)
}

// valid returns the length of the whole chunk at i, or 0 if there is none.
func (c chunks) valid(i int) int {
	if i+c.form.header > len(c.data) {
		return 0
	}
	body := c.at(i, c.length(i))
	if body == nil || !c.mine(body) || binary.LittleEndian.Uint32(c.data[i:]) != mask(crc32.Checksum(body, castagnoli)) {
		return 0
	}
	return checksumFrom + len(body)
}

// inspect returns ErrCorrupt if the chunks end for another reason than that
// nothing was written after them or that the last write was torn.
func (c chunks) inspect() error {
	end := c.end()
	if later, ok := c.provesMore(end); ok {
		return damaged("a bad chunk at %d before a good one at %d", end, later)
	}
	if c.oneBitOff(end) {
		return damaged("a flipped bit in the chunk at %d", end)
	}
	return nil
}

// end returns where the first chunk should be that is not valid.
func (c chunks) end() int {
	i := 0
	for {
		if n := c.valid(i); n > 0 {
			i += n
			continue
		}
		next := (i/blockLen + 1) * blockLen
		if next-i >= logForm.header || next > len(c.data) || !zero(c.data[i:next]) {
			return i
		}
		i = next
	}
}

// provesMore looks for a chunk after end that was written when the one at end
// was on disk already. A manifest is synced after each record; a chunk of a log
// says itself how much was.
func (c chunks) provesMore(end int) (later int, ok bool) {
	for i := end + 1; i+c.form.header <= len(c.data); i++ {
		if !c.mine(c.data[i+checksumFrom:]) || c.valid(i) == 0 {
			continue
		}
		if !c.form.numbered || binary.LittleEndian.Uint64(c.data[i+11:]) > uint64(end) {
			return i, true
		}
	}
	return 0, false
}

func zero(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }
