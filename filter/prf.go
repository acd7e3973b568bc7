package filter

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"unsafe"
)

// prf is a keyed pseudo-random function of a start, which is 16 bytes, and a
// string of any length: PMAC over AES-128 (Black and Rogaway, "A Block-Cipher
// Mode of Operation for Parallelizable Message Authentication", 2002; with the
// offsets of Rogaway, "Efficient Instantiations of Tweakable Blockciphers",
// 2004).
//
// A string is cut into blocks of 16 bytes. All but the last are xored with an
// offset, which is doubled in GF(2^128) from block to block, and encrypted. The
// start, what this gave, the last block and a tail for its length are xored and
// encrypted once more. However long the string, only two encryptions wait for
// each other.
//
// It departs from PMAC in that sums begin with a start; that the last block of
// a string of more than 16 bytes is its last 16, overlapping the one before,
// and that a shorter string is spread over a block without padding ([lastBlock]);
// and that each length has a secret tail of its own, where PMAC has two that
// derive from the offset. The proof is PMAC's and needs three things, which
// stay. Two inputs of the cipher are equal only by chance, of 2^-128 a pair:
// they differ by a secret, uniform offset, tail, start or output, or are
// different blocks at the same place. No string looks like another: given the
// length of the last block, which its tail tells, and the number of blocks,
// the blocks say what the string was. And starts are secret, either a key or an
// output of the function for another string. So with s blocks hashed in all,
// nobody tells it from a random function with more than some s^2 / 2^127, and
// the advantage against AES-128 as a pseudo-random permutation.
type prf struct {
	rounds [11]uint128 // the key schedule of AES-128
	offset uint128     // of the first block
	tails  [17]uint128 // by the length of the last block; the first is the empty string's
	start  uint128     // where an issuer's hash starts

	aes     cipher.Block // for processors without instructions for it, or without assembly here
	scratch sync.Pool    // of *[16]byte, since what is given to aes would escape to the heap
}

// uint128 is a block, in the byte order of the string.
type uint128 struct{ hi, lo uint64 } // its first and last 8 bytes, little-endian

// newPRF returns the function of a key. All it needs is derived by HKDF.
func newPRF(key [16]byte) *prf {
	const secrets = 1 + 1 + 1 + 17
	derived, err := hkdf.Expand(sha256.New, key[:], "rescind filter: AES key, start, offset, tails", secrets*aes.BlockSize)
	if err != nil {
		panic("filter: " + err.Error()) // only for more than 255 hashes
	}
	next := func() (secret [aes.BlockSize]byte) {
		derived = derived[copy(secret[:], derived):]
		return secret
	}
	p := new(prf)
	cipherKey := next()
	p.rounds = expandKey(cipherKey)
	p.aes, _ = aes.NewCipher(cipherKey[:]) // fails only for a key of another length
	p.scratch.New = func() any { return new([aes.BlockSize]byte) }
	p.start, p.offset = blockOf(next()), blockOf(next())
	for i := range p.tails {
		p.tails[i] = blockOf(next())
	}
	return p
}

// one returns the function of start and s.
func (p *prf) one(start *uint128, s string) (h uint128) {
	hash(p, start, &s, 1, &h)
	return h
}

// hashPortable is hash with the standard library's AES.
func hashPortable(p *prf, start *uint128, strings *string, n int, out *uint128) {
	scratch := p.scratch.Get().(*[aes.BlockSize]byte)
	defer p.scratch.Put(scratch)
	encrypt := func(b uint128) uint128 {
		binary.LittleEndian.PutUint64(scratch[:8], b.hi)
		binary.LittleEndian.PutUint64(scratch[8:], b.lo)
		p.aes.Encrypt(scratch[:], scratch[:])
		return blockOf(*scratch)
	}
	hashes := unsafe.Slice(out, n)
	for i, s := range unsafe.Slice(strings, n) {
		sum, offset, left := *start, p.offset, len(s)
		for ; left > aes.BlockSize; left -= aes.BlockSize {
			block := lastBlock(s[:len(s)-left+aes.BlockSize])
			sum = sum.xor(encrypt(block.xor(offset)))
			offset = offset.double()
		}
		hashes[i] = encrypt(sum.xor(lastBlock(s)).xor(p.tails[left]))
	}
}

// lastBlock returns the last 16 bytes of s, or all of a shorter s: its first
// and last 8 bytes, 4 bytes, or first, middle and last byte.
func lastBlock(s string) uint128 {
	read := func(from, n int) (x uint64) {
		for i := range n {
			x |= uint64(s[from+i]) << (8 * i)
		}
		return x
	}
	switch n := len(s); {
	case n >= 16:
		return uint128{read(n-16, 8), read(n-8, 8)}
	case n >= 8:
		return uint128{read(0, 8), read(n-8, 8)}
	case n >= 4:
		return uint128{hi: read(0, 4) | read(n-4, 4)<<32}
	case n >= 1:
		return uint128{hi: read(0, 1) | read(n/2, 1)<<8 | read(n-1, 1)<<16}
	}
	return uint128{}
}

func blockOf(b [16]byte) uint128 {
	return uint128{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}
}

func (b uint128) xor(c uint128) uint128 { return uint128{b.hi ^ c.hi, b.lo ^ c.lo} }

// double multiplies by x in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1, in the
// bit order of XTS (IEEE 1619).
func (b uint128) double() uint128 {
	return uint128{b.hi<<1 ^ 0x87*(b.lo>>63), b.lo<<1 | b.hi>>63}
}
