package identity

import (
	"crypto/ecdh"
	"crypto/sha512"
	"fmt"
	"math/big"
)

// Shared returns 32 bytes that only the owners of k and of the given public key know:
// X25519 of the two. An Ed25519 key is one of X25519 in other coordinates, as in age
// and libsodium.
func (k Key) Shared(public [PublicSize]byte) ([]byte, error) {
	seed := k.Seed()
	h := sha512.Sum512(seed[:])
	private, err := ecdh.X25519().NewPrivateKey(h[:32])
	if err != nil {
		return nil, fmt.Errorf("read the folder's key: %w", err)
	}
	peer, err := ecdh.X25519().NewPublicKey(montgomery(public))
	if err != nil {
		return nil, fmt.Errorf("read a member's key: %w", err)
	}
	secret, err := private.ECDH(peer)
	if err != nil {
		return nil, fmt.Errorf("agree on a key with a member: %w", err) // a point of low order
	}
	return secret, nil
}

// prime is 2^255 - 19.
var prime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

// montgomery returns u = (1 + y) / (1 - y) of a point on the Edwards curve, which is
// public, so it need not take the same time for all.
func montgomery(public [PublicSize]byte) []byte {
	var reversed [PublicSize]byte
	for i, b := range public {
		reversed[PublicSize-1-i] = b
	}
	reversed[0] &= 0x7f // the sign of x
	y := new(big.Int).SetBytes(reversed[:])
	above := new(big.Int).Add(big.NewInt(1), y)
	below := new(big.Int).Sub(big.NewInt(1), y)
	below.Mod(below, prime)
	below.ModInverse(below, prime) // nil, and below unchanged at 0, for y = 1, of low order
	u := above.Mul(above, below)
	u.Mod(u, prime)
	var out [PublicSize]byte
	u.FillBytes(out[:])
	for i := range out[:PublicSize/2] {
		out[i], out[PublicSize-1-i] = out[PublicSize-1-i], out[i]
	}
	return out[:]
}
