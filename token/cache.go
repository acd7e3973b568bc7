package token

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

const cacheShards = 16

// cache remembers authentic tokens. The whole token is the key, so that no two
// can be confused; the shard's seed is secret, so that nobody can aim at one
// shard. A full shard drops arbitrary entries: forgetting only costs a
// signature check. A nil cache remembers nothing.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]shard
}

type shard struct {
	// mu guards what follows: at most limit tokens of at most maxBytes.
	mu       sync.RWMutex
	seen     map[string]*authentic
	bytes    int // the sum of size over seen
	limit    int
	maxBytes int

	// Each shard counts for itself, beside the lock that a look-up takes anyway:
	// one counter for all would be fought over by every processor.
	hits, misses atomic.Uint64

	_ [56]byte // two cache lines each
}

// CacheStats counts the look-ups of a Verifier's cache.
type CacheStats struct {
	Hits   uint64 // tokens that had been verified before: no signature check
	Misses uint64 // tokens that had not, or whose issuer's keys have changed, or that are no tokens at all
	Tokens int    // that are remembered now
	Bytes  int    // of memory for them, about
}

// CacheStats returns the counts so far; all are 0 where the cache is off. Safe
// for concurrent use.
func (v *Verifier) CacheStats() (st CacheStats) {
	if v.cache == nil {
		return st
	}
	for i := range v.cache.shards {
		s := &v.cache.shards[i]
		st.Hits += s.hits.Load()
		st.Misses += s.misses.Load()
		s.mu.RLock()
		st.Tokens += len(s.seen)
		st.Bytes += s.bytes
		s.mu.RUnlock()
	}
	return st
}

// newCache returns a cache for about tokens tokens and at most bytes bytes, or
// nil if either is negative.
func newCache(tokens, bytes int) *cache {
	if tokens < 0 || bytes < 0 {
		return nil
	}
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.limit, s.maxBytes, s.seen = (tokens+cacheShards-1)/cacheShards, bytes/cacheShards, make(map[string]*authentic)
	}
	return c
}

func (c *cache) shard(raw string) *shard {
	return &c.shards[maphash.String(c.seed, raw)%cacheShards]
}

// get returns what is remembered of raw, or nil. An entry whose key set is no
// longer in force is forgotten.
func (c *cache) get(raw string) *authentic {
	if c == nil {
		return nil
	}
	s := c.shard(raw)
	s.mu.RLock()
	a := s.seen[raw]
	s.mu.RUnlock()
	if a != nil && !a.current() {
		c.drop(raw)
		a = nil
	}
	if a == nil {
		s.misses.Add(1)
	} else {
		s.hits.Add(1)
	}
	return a
}

// put remembers that raw is authentic. It keeps a copy: raw may lie in a buffer
// that soon holds another token, which nobody has verified.
func (c *cache) put(raw string, a *authentic) {
	if c == nil {
		return
	}
	s := c.shard(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(raw)
	for old := range s.seen {
		if len(s.seen) < s.limit && s.bytes+size(raw, a) <= s.maxBytes {
			break
		}
		s.dropLocked(old)
	}
	if size(raw, a) <= s.maxBytes {
		s.seen[strings.Clone(raw)] = a
		s.bytes += size(raw, a)
	}
}

// drop forgets raw.
func (c *cache) drop(raw string) {
	if c == nil {
		return
	}
	s := c.shard(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(raw)
}

func (s *shard) dropLocked(raw string) {
	if a := s.seen[raw]; a != nil {
		s.bytes -= size(raw, a)
		delete(s.seen, raw)
	}
}

// size is about what an entry occupies: two texts, the identifiers, which are
// copied from the second, and some 600 bytes of structure.
func size(raw string, a *authentic) int { return len(raw) + 2*len(a.Verified.claims) + 600 }
