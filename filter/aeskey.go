package filter

import "math/bits"

// expandKey returns the key schedule of AES-128 (FIPS 197, section 5.2), which
// the standard library keeps to itself.
func expandKey(key [16]byte) (rounds [11]uint128) {
	k, constant := blockOf(key), byte(1)
	w := [4]uint32{uint32(k.hi), uint32(k.hi >> 32), uint32(k.lo), uint32(k.lo >> 32)}
	for i := range rounds {
		rounds[i] = uint128{uint64(w[0]) | uint64(w[1])<<32, uint64(w[2]) | uint64(w[3])<<32}
		w[0] ^= substituted(bits.RotateLeft32(w[3], -8)) ^ uint32(constant)
		w[1] ^= w[0]
		w[2] ^= w[1]
		w[3] ^= w[2]
		constant = times(constant, 2)
	}
	return rounds
}

// substituted applies sbox to each byte of x.
func substituted(x uint32) (y uint32) {
	for shift := 0; shift < 32; shift += 8 {
		y |= uint32(sbox(byte(x>>shift))) << shift
	}
	return y
}

// sbox is the S-box of AES: the inverse in GF(2^8), 0 for 0, and an affine map.
func sbox(b byte) byte {
	inverse := byte(1) // b^254 = b^2 * b^4 * ... * b^128
	for range 7 {
		b = times(b, b)
		inverse = times(inverse, b)
	}
	r := inverse
	for i := 1; i <= 4; i++ {
		r ^= bits.RotateLeft8(inverse, i)
	}
	return r ^ 0x63
}

// times multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
func times(a, b byte) (product byte) {
	for ; b > 0; b >>= 1 {
		product ^= a * (b & 1)
		a = a<<1 ^ 0x1b*(a>>7)
	}
	return product
}
