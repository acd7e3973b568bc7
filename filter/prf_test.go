package filter

import (
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"rescind"
)

// plainHash is the function as its definition says it, on bytes, with the
// standard library's AES and big numbers.
func plainHash(p *prf, start uint128, s string) uint128 {
	cipherKey := bytesOf(p.rounds[0])
	c, err := aes.NewCipher(cipherKey[:])
	if err != nil {
		panic(err)
	}
	x := bytesOf(start)
	xor := func(b []byte) {
		for i := range b {
			x[i] ^= b[i]
		}
	}
	offset := new(big.Int).SetBytes(reversed(bytesOf(p.offset)))
	rest := s
	for ; len(rest) > 16; rest = rest[16:] {
		block := reversed([16]byte(offset.FillBytes(make([]byte, 16))))
		for i := range block {
			block[i] ^= rest[i]
		}
		c.Encrypt(block, block)
		xor(block)
		offset.Lsh(offset, 1)
		if offset.Bit(128) == 1 {
			offset.SetBit(offset, 128, 0).Xor(offset, big.NewInt(0x87))
		}
	}
	switch n := len(s); {
	case n >= 16:
		xor([]byte(s[n-16:]))
	case n >= 8:
		xor([]byte(s[:8] + s[n-8:]))
	case n >= 4:
		xor([]byte(s[:4] + s[n-4:]))
	case n >= 1:
		xor([]byte{s[0], s[n/2], s[n-1]})
	}
	tail := bytesOf(p.tails[len(rest)])
	xor(tail[:])
	c.Encrypt(x[:], x[:])
	return blockOf(x)
}

func bytesOf(b uint128) (x [16]byte) {
	binary.LittleEndian.PutUint64(x[:8], b.hi)
	binary.LittleEndian.PutUint64(x[8:], b.lo)
	return x
}

func reversed(b [16]byte) []byte {
	r := make([]byte, 16)
	for i := range b {
		r[15-i] = b[i]
	}
	return r
}

// randomString returns n random bytes in memory of their own, so that to read
// past them is to read what the address sanitizer or a guard page guards.
func randomString(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

func randomPRF() *prf { return newPRF([16]byte([]byte(randomString(16)))) }

// checkHash compares hash and hashPortable of all strings at once with
// plainHash of each, and makes sure that they write nothing else.
func checkHash(t *testing.T, p *prf, start uint128, list ...string) {
	t.Helper()
	for name, f := range map[string]func(*prf, *uint128, *string, int, *uint128){"hash": hash, "hashPortable": hashPortable} {
		canary := uint128{1, 2}
		out := make([]uint128, len(list)+1)
		out[len(list)] = canary
		f(p, &start, &list[0], len(list), &out[0])
		for i, s := range list {
			if want := plainHash(p, start, s); out[i] != want {
				t.Fatalf("%s of string %d of %d, %d bytes, is %x, want %x", name, i, len(list), len(s), out[i], want)
			}
		}
		if out[len(list)] != canary {
			t.Fatalf("%s of %d strings writes more than %d hashes", name, len(list), len(list))
		}
	}
}

func TestHashEqualsThePlainOne(t *testing.T) {
	p := randomPRF()
	for n := range rescind.MaxIDLen + 40 {
		checkHash(t, p, uint128{rand.Uint64(), rand.Uint64()}, randomString(n))
	}
	for range 300 {
		list := make([]string, 1+rand.IntN(7))
		for i := range list {
			list[i] = randomString(rand.IntN(70))
		}
		list[rand.IntN(len(list))] = randomString(rand.IntN(1 << rand.IntN(14)))
		checkHash(t, randomPRF(), uint128{rand.Uint64(), rand.Uint64()}, list...)
	}
}

func FuzzHash(f *testing.F) {
	f.Add([]byte("key"), uint64(1), uint64(2), "", "a", "3f2c9a1e-77d0-4b12-9c3e-1c6d2e9fb0a4")
	f.Fuzz(func(t *testing.T, key []byte, hi, lo uint64, a, b, c string) {
		var k [16]byte
		copy(k[:], key)
		checkHash(t, newPRF(k), uint128{hi, lo}, a, b, c)
	})
}

// TestKeySchedule is the example of FIPS 197, appendix A.1. Other keys are
// compared by what they encrypt, in TestHashEqualsThePlainOne.
func TestKeySchedule(t *testing.T) {
	key, _ := hex.DecodeString("2b7e151628aed2a6abf7158809cf4f3c")
	last := bytesOf(expandKey([16]byte(key))[10])
	if got := hex.EncodeToString(last[:]); got != "d014f9a8c9ee2589e13f0cc8b6630ca6" {
		t.Errorf("the last round key is %s", got)
	}
}

// TestDigestStays fails when digests change. Then data on disk and records of
// other nodes mean nothing any more: change the label of the digest key in
// cluster and the version in gossip with it.
func TestDigestStays(t *testing.T) {
	for id, want := range map[string]string{
		"t":                                    "110493301545f9bd1ffaa23c1132d749",
		"3f2c9a1e-77d0-4b12-9c3e-1c6d2e9fb0a4": "0a986fb212f51ff9437f900c1132d749",
	} {
		if got := testPRF.digest(key(rescind.ScopeJTI, id)).String(); got != want {
			t.Errorf("the digest of %q is %s, not %s", id, got, want)
		}
	}
	if got := fmt.Sprintf("%x", newPRF([16]byte(testKey[16:])).sumOf(record("t", 1<<50))); got != "{335c83bfa8d70154 bbd589346dac20ba 1}" {
		t.Errorf("the sum of a record is %s", got)
	}
}

// TestAlikeStrings hashes strings that differ in little: in length, in one bit,
// in the order of blocks, and in where they are cut.
func TestAlikeStrings(t *testing.T) {
	seen := map[uint128]string{}
	check := func(start *uint128, s string) {
		t.Helper()
		h := testPRF.one(start, s)
		if other, ok := seen[h]; ok {
			t.Errorf("%q and %q have one hash", s, other)
		}
		seen[h] = s
	}
	base := strings.Repeat("0123456789abcdef", 3) + "0123"
	for n := range 200 {
		check(&testPRF.start, strings.Repeat("\x00", n))
	}
	for n := 1; n <= len(base); n++ {
		check(&testPRF.start, base[:n])
		for bit := range 8 * n {
			b := []byte(base[:n])
			b[bit/8] ^= 1 << (bit % 8)
			check(&testPRF.start, string(b))
		}
	}
	a, b, c := strings.Repeat("a", 16), strings.Repeat("b", 16), strings.Repeat("c", 16)
	for _, s := range []string{a + b + c, b + a + c, a + c + b, c + b + a, b + c + a, c + a + b, a + a + c, b + b + c, c} {
		check(&testPRF.start, s)
	}
	for i := range len(base) { // issuer and identifier
		start := testPRF.one(&testPRF.start, base[:i])
		check(&start, base[i:])
	}
}

// BenchmarkHash hashes strings of the usual lengths, one and several at once.
func BenchmarkHash(b *testing.B) {
	for _, lengths := range [][]int{{8}, {16}, {36}, {64}, {36, 36, 36}, {36, 36, 36, 8, 9}} {
		list := make([]string, len(lengths))
		for i, n := range lengths {
			list[i] = randomString(n)
		}
		out := make([]uint128, len(list))
		for name, f := range map[string]func(*prf, *uint128, *string, int, *uint128){"hash": hash, "portable": hashPortable} {
			b.Run(fmt.Sprint(name, lengths), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					f(testPRF, &testPRF.start, &list[0], len(list), &out[0])
				}
			})
		}
	}
}
