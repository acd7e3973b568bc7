package token

import (
	"hash/maphash"
	"sync"
)

const cacheShards = 16

// cache remembers authentic tokens. The whole token is the key, so that no two
// can be confused; the shard's seed is secret, so that nobody can aim at one
// shard. A full shard drops an arbitrary entry: forgetting only costs a
// signature check. A nil cache remembers nothing.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]shard
}

type shard struct {
	mu    sync.RWMutex
	limit int
	seen  map[string]*authentic // of size limit at most
}

// newCache returns a cache for at least size tokens, or nil if size is
// negative.
func newCache(size int) *cache {
	if size < 0 {
		return nil
	}
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i] = shard{limit: (size + cacheShards - 1) / cacheShards, seen: make(map[string]*authentic)}
	}
	return c
}

func (c *cache) shard(raw string) *shard {
	return &c.shards[maphash.String(c.seed, raw)%cacheShards]
}

// get returns what is remembered of raw, or nil. An entry whose key set is no
// longer in force is as good as none.
func (c *cache) get(raw string) *authentic {
	if c == nil {
		return nil
	}
	s := c.shard(raw)
	s.mu.RLock()
	a := s.seen[raw]
	s.mu.RUnlock()
	if a == nil || !a.current() {
		return nil
	}
	return a
}

// put remembers that raw is authentic.
func (c *cache) put(raw string, a *authentic) {
	if c == nil {
		return
	}
	s := c.shard(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) >= s.limit {
		for old := range s.seen {
			delete(s.seen, old)
			break
		}
	}
	s.seen[raw] = a
}
