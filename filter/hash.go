package filter

import (
	"strings"
	"sync/atomic"
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

// maxIssuers bounds issuerCache.
const maxIssuers = 16

// issuerCache remembers the hashers of the first issuers that it is asked for,
// so that a check hashes only the identifier: nearly half of its time. Its
// zero value is ready for use.
type issuerCache struct {
	known atomic.Pointer[[]knownIssuer] // never modified, only replaced
}

type knownIssuer struct {
	iss  string
	hash Hasher
}

// of returns h.issuer(iss). h must be the same in every call.
func (c *issuerCache) of(h Hasher, iss string) Hasher {
	known := c.known.Load()
	if known != nil {
		for i := range *known {
			if k := &(*known)[i]; k.iss == iss {
				return k.hash
			}
		}
	}
	hash := h.issuer(iss)
	c.remember(known, knownIssuer{iss, hash})
	return hash
}

// remember adds k unless there is no room, or somebody else has just added
// one: then the next call does.
func (c *issuerCache) remember(known *[]knownIssuer, k knownIssuer) {
	var more []knownIssuer
	if known != nil {
		more = append(more, *known...)
	}
	if len(more) < maxIssuers { // issuers of verified tokens are few; others pay the hash
		more = append(more, knownIssuer{strings.Clone(k.iss), k.hash})
		c.known.CompareAndSwap(known, &more)
	}
}

// bytesOf views s as bytes without the copy that a conversion would make on
// the check path. They must only be read.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
