package filter

import (
	"sync"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
)

// plain is the rival in benchmarks: a Bloom filter in front of a map, behind
// one lock.
type plain struct {
	mu      sync.RWMutex
	bloom   *bloom.BloomFilter
	expires map[string]int64
}

func newPlain(n uint) *plain {
	return &plain{bloom: bloom.NewWithEstimates(n, 0.001), expires: make(map[string]int64, n)}
}

func (p *plain) add(id string, expires time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bloom.AddString(id)
	p.expires[id] = expires.Unix()
}

func (p *plain) revoked(id string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.bloom.TestString(id) {
		return false
	}
	_, ok := p.expires[id]
	return ok
}
