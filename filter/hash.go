package filter

import (
	"sync"
	"sync/atomic"
	"unique"
	"unsafe"

	"rescind"
)

// digest returns the digest of k, which must be valid. It does not allocate.
//
// The issuer is hashed first, and the identifier's hash starts from what that
// gave. So no choice of both strings can look like another pair: "a"+"bc" and
// "ab"+"c" differ.
func (p *prf) digest(k rescind.Key) rescind.Digest {
	id := k.ID
	if k.Scope == rescind.ScopeIss {
		id = k.Issuer
	}
	start := p.one(&p.start, k.Issuer)
	self := p.one(&start, k.Issuer)
	return p.one(&start, id).digest(k.Scope, self.issuer())
}

// digest returns the digest of an identifier with hash b, of the issuer with these
// bits. A Bloom filter does not read the bits that they replace ([selected]).
func (b uint128) digest(scope rescind.Scope, issuer uint32) rescind.Digest {
	return rescind.MakeDigest(scope, b.hi, b.lo).OfIssuer(issuer)
}

// issuer returns the bits that all digests of an issuer share, of which b is the hash
// as an identifier: the digest of the issuer itself has them by nature.
func (b uint128) issuer() uint32 { return rescind.Digest{Hi: b.hi, Lo: b.lo}.Issuer() }

// maxIssuers bounds issuerCache.
const maxIssuers = 16

// issuerCache remembers the first issuers that it is asked for, so that a check
// hashes only the identifiers. Its zero value is ready for use.
type issuerCache struct {
	n     atomic.Int32 // how many of list are in use; those never change
	list  [maxIssuers]knownIssuer
	quiet [maxIssuers]quiet // of those in list

	mu sync.Mutex // held to add one; nobody waits for it
}

// knownIssuer is what a check needs of an issuer.
type knownIssuer struct {
	// iss is the value of handle, so the process has one copy of it, which
	// nobody else can write to. The string that the caller gave is not kept: it
	// may lie in a buffer that soon holds another issuer.
	iss    string
	handle unique.Handle[string] // keeps iss the one copy

	start uint128 // of the hashes of its identifiers
	self  uint128 // hash of the issuer as an identifier
	quiet *quiet  // nil if the issuer is not remembered
}

// same returns what is remembered of iss if it is the very string that is
// remembered, or nil. Verifiers hand out the value of a unique.Handle, which is
// that string, so this nearly always suffices.
func (c *issuerCache) same(iss string) *knownIssuer {
	for i := range c.list[:c.n.Load()] {
		if k := &c.list[i]; unsafe.StringData(k.iss) == unsafe.StringData(iss) && len(k.iss) == len(iss) {
			return k
		}
	}
	return nil
}

// equal returns what is remembered of a string equal to iss, or nil.
func (c *issuerCache) equal(iss string) *knownIssuer {
	for i := range c.list[:c.n.Load()] {
		if k := &c.list[i]; k.iss == iss {
			return k
		}
	}
	return nil
}

// get returns what is remembered of iss. If that is nothing, it finds out and
// remembers it, provided that there is room and nobody else is adding one: then
// the next call does, and this returns stranger, set to what it has found out.
// p must be the same in every call.
func (c *issuerCache) get(p *prf, iss string, stranger *knownIssuer) *knownIssuer {
	if k := c.equal(iss); k != nil {
		return k
	}
	stranger.start = p.one(&p.start, iss)
	stranger.self = p.one(&stranger.start, iss)
	if c.n.Load() == maxIssuers || !c.mu.TryLock() {
		return stranger // issuers of verified tokens are few; others pay the hash
	}
	defer c.mu.Unlock()
	n := c.n.Load()
	if n == maxIssuers || c.equal(iss) != nil {
		return stranger
	}
	k := &c.list[n]
	*k = *stranger
	k.handle = unique.Make(iss) // of a copy
	k.iss, k.quiet = k.handle.Value(), &c.quiet[n]
	c.n.Store(n + 1)
	return k
}
