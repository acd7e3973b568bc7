package filter

import (
	"unsafe"

	"github.com/dchest/siphash"

	"rescind"
)

// Hasher makes digests. All nodes of a cluster use the same key for the life
// of their data. It is safe for concurrent use.
//
// The issuer is hashed first and its hash keys that of the identifier (the
// cascade construction: Bellare, Canetti and Krawczyk, 1996), so no choice of
// both strings can look like another pair: "a"+"bc" and "ab"+"c" differ.
type Hasher struct{ k0, k1 uint64 }

// NewHasher returns a Hasher for the given 128-bit key.
func NewHasher(k0, k1 uint64) Hasher { return Hasher{k0, k1} }

// Digest returns the digest of k, which must be valid. It does not allocate.
func (h Hasher) Digest(k rescind.Key) rescind.Digest {
	id := k.ID
	if k.Scope == rescind.ScopeIss {
		id = k.Issuer
	}
	return h.issuer(k.Issuer).digest(k.Scope, id)
}

// issuer returns the hasher of one issuer's identifiers.
func (h Hasher) issuer(iss string) Hasher {
	k0, k1 := siphash.Hash128(h.k0, h.k1, bytesOf(iss))
	return Hasher{k0, k1}
}

func (h Hasher) digest(scope rescind.Scope, id string) rescind.Digest {
	lo, hi := siphash.Hash128(h.k0, h.k1, bytesOf(id))
	return rescind.MakeDigest(scope, hi, lo)
}

// bytesOf views s as bytes without the copy that a conversion would make on
// the check path. They must only be read.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
