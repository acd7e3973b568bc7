package filter

import (
	"encoding/binary"
	"sync/atomic"

	"rescind"
)

// Hasher makes digests. All nodes of a cluster use the same key for the life
// of their data. It is safe for concurrent use.
//
// The issuer is hashed first and its hash keys that of the identifier (the
// cascade construction: Bellare, Canetti and Krawczyk, 1996), so no choice of
// both strings can look like another pair: "a"+"bc" and "ab"+"c" differ.
type Hasher struct{ k0, k1 uint64 }

// NewHasher returns a Hasher for the given key.
func NewHasher(key [16]byte) Hasher {
	return Hasher{binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])}
}

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
	k0, state := sip13(h.k0, h.k1, iss)
	return Hasher{k0, state.rest()}
}

func (h Hasher) digest(scope rescind.Scope, id string) rescind.Digest {
	hi, state := sip13(h.k0, h.k1, id)
	return rescind.MakeDigest(scope, hi, state.rest())
}

// prefix returns the Hi of every digest of id, whatever its scope, for the
// cost of half a hash.
func (h Hasher) prefix(id string) uint64 {
	hi, _ := sip13(h.k0, h.k1, id)
	return max(hi, 1)
}

// maxIssuers bounds issuerCache.
const maxIssuers = 16

// issuerCache remembers the hashers of the first issuers that it is asked for,
// so that a check hashes only the identifiers. Its zero value is ready for use.
type issuerCache struct {
	known atomic.Pointer[knownIssuers] // never modified, only replaced
}

type knownIssuers struct {
	n    int
	list [maxIssuers]knownIssuer
}

// knownIssuer is what a check needs of an issuer.
type knownIssuer struct {
	iss    string // as it came, not a copy: comparing a string with itself is quicker
	hash   Hasher // of its identifiers
	prefix uint64 // of the issuer as an identifier
}

// find returns what is remembered of iss, or nil.
func (c *issuerCache) find(iss string) *knownIssuer {
	if known := c.known.Load(); known != nil {
		for i := range known.list[:known.n] {
			if k := &known.list[i]; k.iss == iss {
				return k
			}
		}
	}
	return nil
}

// learn returns what there is to know of iss and remembers it, if there is
// room. h must be the same in every call.
func (c *issuerCache) learn(h Hasher, iss string) knownIssuer {
	k := knownIssuer{iss: iss, hash: h.issuer(iss)}
	k.prefix = k.hash.prefix(iss)
	c.remember(c.known.Load(), k)
	return k
}

// remember adds k to known unless there is no room, or somebody else has just
// added one: then the next call does.
func (c *issuerCache) remember(known *knownIssuers, k knownIssuer) {
	if known != nil && known.n == maxIssuers {
		return // issuers of verified tokens are few; others pay the hash
	}
	more := new(knownIssuers)
	if known != nil {
		*more = *known
	}
	more.list[more.n] = k
	more.n++
	c.known.CompareAndSwap(known, more)
}
