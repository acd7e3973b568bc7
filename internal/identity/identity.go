// Package identity is who a data folder is: an Ed25519 key that is made with the
// folder and never leaves it, and the origin that follows from it. What a node says of
// itself can be signed with this key; no message is yet.
//
// An origin is the first 64 bits of a hash of the public key. Whoever wants a key for one of
// n known origins must try some 2^64/n keys.
//
// What a signature costs: go test ./internal/identity -bench .
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// Sizes in bytes.
const (
	SeedSize   = ed25519.SeedSize
	PublicSize = ed25519.PublicKeySize
	SigSize    = ed25519.SignatureSize
)

// Key is a folder's key. The zero value is none.
type Key struct {
	private ed25519.PrivateKey
	public  [PublicSize]byte
	origin  uint64
}

// New makes a key.
func New() Key {
	for {
		var seed [SeedSize]byte
		rand.Read(seed[:]) // never fails
		if k := Of(seed); k.origin != 0 {
			return k
		}
	}
}

// Of returns the key that is made from a seed.
func Of(seed [SeedSize]byte) Key {
	k := Key{private: ed25519.NewKeyFromSeed(seed[:])}
	k.public = [PublicSize]byte(k.private.Public().(ed25519.PublicKey))
	k.origin = OriginOf(k.public)
	return k
}

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return k.private == nil }

// Seed returns what Of makes k from. It is secret.
func (k Key) Seed() [SeedSize]byte { return [SeedSize]byte(k.private.Seed()) }

// Public returns the public key.
func (k Key) Public() [PublicSize]byte { return k.public }

// Origin returns the origin that k speaks for, never 0.
func (k Key) Origin() uint64 { return k.origin }

// Sign signs a message.
func (k Key) Sign(msg []byte) [SigSize]byte { return [SigSize]byte(ed25519.Sign(k.private, msg)) }

// OriginOf returns the origin of a public key.
func OriginOf(public [PublicSize]byte) uint64 {
	h := sha256.New()
	h.Write([]byte("rescind origin"))
	h.Write(public[:])
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// Verify reports whether the owner of a public key has signed a message.
func Verify(public [PublicSize]byte, msg []byte, sig [SigSize]byte) bool {
	return ed25519.Verify(public[:], msg, sig[:])
}
