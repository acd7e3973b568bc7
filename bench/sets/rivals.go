package sets

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"unique"
	"unsafe"

	"github.com/FastFilter/xorfilter"
	"github.com/bits-and-blooms/bloom/v3"
	"github.com/dchest/siphash"
	"github.com/puzpuzpuz/xsync/v4"

	"rescind"
	"rescind/filter"
)

// rival is a set of revoked identifiers. It loops over many in check, so that
// the call through the interface costs nothing.
type rival interface {
	Add(id string)
	check(ids []string) (found int)
}

// rivals lists what is compared, ours first. make returns an empty set for n
// identifiers.
var rivals = []struct {
	name string
	note string
	make func(n int) rival
}{
	{"rescind", "exact, expiry, lock-free", func(int) rival { return newOurs() }},
	{"floor", "SipHash-2-4-128 and one cache line of 2 bytes per entry", func(n int) rival { return newFloor(n) }},
	{"bloom", "bits-and-blooms 0.1 %, no lock: no writer, no expiry", func(n int) rival {
		return &bloomOnly{bloom.NewWithEstimates(uint(n), 0.001)}
	}},
	{"bloom+rwmutex+map", "what most teams would write", func(n int) rival { return NewBloomMap(n) }},
	{"rwmutex+map", "", func(n int) rival { return &lockedMap{expires: make(map[string]int64, n)} }},
	{"map", "no lock: no writer", func(n int) rival { return plainMap(make(map[string]int64, n)) }},
	{"sync.Map", "", func(int) rival { return new(SyncMap) }},
	{"xsync.Map", "", func(n int) rival {
		return xsyncMap{xsync.NewMap[string, int64](xsync.WithPresize(n))}
	}},
	{"xorfilter", "BinaryFuse8, 0.4 %: no adds once built", func(int) rival { return &xorFilter{seed: maphash.MakeSeed()} }},
}

// issuer is handed out as package token does it: see filter.
var (
	issuerHandle = unique.Make("https://bench.rescind.invalid")
	issuer       = issuerHandle.Value()
)

const expiry = 2_000_000_000 // of everything added: Unix seconds in 2033

// ours asks about one identifier as a verifier does that has just parsed a
// token.
type ours struct{ set *filter.Set }

func newOurs() ours { return ours{filter.New(filter.Options{Key: [32]byte{1, 2, 3}})} }

func (o ours) record(scope rescind.Scope, id string) rescind.Record {
	k := rescind.Key{Scope: scope, Issuer: issuer, ID: id}
	return rescind.Record{Digest: o.set.Digest(k), IssuedBefore: rescind.Ever, ExpiresAt: expiry * 1000}
}

func (o ours) Add(id string) { o.set.Merge(o.record(rescind.ScopeJTI, id)) }

func (o ours) check(ids []string) (found int) {
	t := rescind.Token{Issuer: issuer, IssuedAt: 1}
	for _, id := range ids {
		t.ID = id
		if o.set.Revoked(&t) {
			found++
		}
	}
	return found
}

// floor does the least that a set could do which hashes with a standard
// library under a secret key and lives in memory: it reads one cache line. It
// answers nothing.
type floor struct{ lines [][8]uint64 }

func newFloor(n int) *floor { return &floor{make([][8]uint64, max(1, n*2/64))} }

func (f *floor) Add(id string) {
	a, b := siphash.Hash128(1, 2, bytesOf(id))
	f.lines[a%uint64(len(f.lines))][b&7] |= 1 << (b >> 58)
}

func (f *floor) check(ids []string) (found int) {
	n := uint64(len(f.lines))
	for _, id := range ids {
		a, b := siphash.Hash128(1, 2, bytesOf(id))
		found += int(atomic.LoadUint64(&f.lines[(a>>32)*n>>32][b&7]) >> (b >> 58) & 1)
	}
	return found
}

type bloomOnly struct{ *bloom.BloomFilter }

func (b *bloomOnly) Add(id string) { b.AddString(id) }

func (b *bloomOnly) check(ids []string) (found int) {
	for _, id := range ids {
		if b.TestString(id) {
			found++
		}
	}
	return found
}

// BloomMap is a Bloom filter in front of a map, behind one lock.
type BloomMap struct {
	mu      sync.RWMutex
	bloom   *bloom.BloomFilter
	expires map[string]int64
}

// NewBloomMap has room for n identifiers at 0.1 % of false positives.
func NewBloomMap(n int) *BloomMap {
	return &BloomMap{bloom: bloom.NewWithEstimates(uint(n), 0.001), expires: make(map[string]int64, n)}
}

// Add revokes an identifier.
func (m *BloomMap) Add(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bloom.AddString(id)
	m.expires[strings.Clone(id)] = expiry
}

// Revoked reports whether it is revoked.
func (m *BloomMap) Revoked(id string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.bloom.TestString(id) {
		return false
	}
	_, ok := m.expires[id]
	return ok
}

func (m *BloomMap) check(ids []string) (found int) {
	for _, id := range ids {
		if m.Revoked(id) {
			found++
		}
	}
	return found
}

type lockedMap struct {
	mu      sync.RWMutex
	expires map[string]int64
}

func (m *lockedMap) Add(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expires[strings.Clone(id)] = expiry
}

func (m *lockedMap) Revoked(id string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.expires[id]
	return ok
}

func (m *lockedMap) check(ids []string) (found int) {
	for _, id := range ids {
		if m.Revoked(id) {
			found++
		}
	}
	return found
}

type plainMap map[string]int64

func (m plainMap) Add(id string) { m[strings.Clone(id)] = expiry }

func (m plainMap) check(ids []string) (found int) {
	for _, id := range ids {
		if _, ok := m[id]; ok {
			found++
		}
	}
	return found
}

// SyncMap is a sync.Map of expiries.
type SyncMap struct{ sync.Map }

// Add revokes an identifier.
func (m *SyncMap) Add(id string) { m.Store(strings.Clone(id), int64(expiry)) }

func (m *SyncMap) check(ids []string) (found int) {
	for _, id := range ids {
		if _, ok := m.Load(id); ok {
			found++
		}
	}
	return found
}

type xsyncMap struct{ *xsync.Map[string, int64] }

func (m xsyncMap) Add(id string) { m.Store(strings.Clone(id), expiry) }

func (m xsyncMap) check(ids []string) (found int) {
	for _, id := range ids {
		if _, ok := m.Load(id); ok {
			found++
		}
	}
	return found
}

// xorFilter is built from all its keys at the first check.
type xorFilter struct {
	seed  maphash.Seed
	keys  []uint64
	once  sync.Once
	built *xorfilter.BinaryFuse8
}

func (x *xorFilter) Add(id string) { x.keys = append(x.keys, maphash.String(x.seed, id)) }

func (x *xorFilter) check(ids []string) (found int) {
	x.once.Do(func() {
		built, err := xorfilter.PopulateBinaryFuse8(x.keys)
		if err != nil {
			panic("xorfilter: " + err.Error()) // only for keys that repeat
		}
		x.built, x.keys = built, nil
	})
	for _, id := range ids {
		if x.built.Contains(maphash.String(x.seed, id)) {
			found++
		}
	}
	return found
}

// bytesOf views s as bytes without a copy. They must only be read.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
