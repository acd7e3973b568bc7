package filter

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"rescind"
)

// numShards bounds the pause of one rebuild to 1/256 of the set. The shard is
// the first byte of the digest, so that the order of shards is the order of
// digests.
const (
	numShards  = 256
	shardShift = 64 - 8
)

// Set is the set of live revocations. All its methods are safe for concurrent
// use.
type Set struct {
	hash    Hasher
	issuers issuerCache
	max     int64

	// held counts the records per scope. It is raised before a record becomes
	// visible and lowered after it has gone, so that 0 proves that a look-up in
	// this scope would find nothing.
	held  [rescind.NumScopes]atomic.Int64
	total atomic.Int64

	shards [numShards]shard
}

// shard holds the records whose digests start with one byte.
type shard struct {
	view atomic.Pointer[view] // what readers see; never nil

	mu sync.Mutex // held by writers only, never by a reader
	_  [40]byte   // one cache line each: readers of one shard don't feel writers of the next
}

// New returns an empty set that makes digests with h and accepts at most max
// records; 0 means no limit.
func New(h Hasher, max int) *Set {
	s := &Set{hash: h, max: int64(max)}
	for i := range s.shards {
		s.shards[i].view.Store(newView(0))
	}
	return s
}

// Digest returns the digest of k, which must be valid.
func (s *Set) Digest(k rescind.Key) rescind.Digest { return s.hash.Digest(k) }

// Revoked reports whether a record covers t. A scope that holds nothing costs
// one atomic load. It neither waits nor allocates.
func (s *Set) Revoked(t *rescind.Token) bool {
	if s.total.Load() == 0 {
		return false
	}
	h := s.issuers.of(s.hash, t.Issuer)
	for _, scope := range rescind.Scopes() {
		if s.held[scope].Load() == 0 {
			continue
		}
		id := t.Value(scope)
		if id == "" {
			continue
		}
		if r, ok := s.Lookup(h.digest(scope, id)); ok && r.Covers(t.IssuedAt) {
			return true
		}
	}
	return false
}

// Lookup returns the record of d, if the set holds one. It neither waits nor
// allocates.
func (s *Set) Lookup(d rescind.Digest) (rescind.Record, bool) {
	v := s.shards[d.Hi>>shardShift].view.Load()
	if !v.mayHold(d) {
		return rescind.Record{}, false
	}
	return v.find(d)
}

// Add joins r into the set and returns what the set now holds for its digest,
// and whether that changed anything. It returns rescind.ErrFull if the digest
// is new and the set is at its limit.
func (s *Set) Add(r rescind.Record) (joined rescind.Record, changed bool, err error) {
	return s.join(r, s.max)
}

// Merge is Add without the limit, for what another node has already accepted:
// refusing that would lose an acknowledged revocation.
func (s *Set) Merge(r rescind.Record) (joined rescind.Record, changed bool) {
	joined, changed, _ = s.join(r, 0)
	return joined, changed
}

func (s *Set) join(r rescind.Record, limit int64) (rescind.Record, bool, error) {
	sh := &s.shards[r.Digest.Hi>>shardShift]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	v := sh.view.Load()
	if old, ok := v.find(r.Digest); ok {
		joined := old.Join(r)
		if joined == old {
			return old, false, nil
		}
		v.raise(joined)
		return joined, true, nil
	}
	if n := s.total.Add(1); limit > 0 && n > limit {
		s.total.Add(-1)
		return rescind.Record{}, false, rescind.ErrFull
	}
	s.held[r.Digest.Scope()].Add(1)
	if v.full() {
		v = v.rebuilt(func(rescind.Record) bool { return true }, v.used+1)
		sh.view.Store(v)
	}
	v.insert(r)
	return r, true, nil
}

// Sweep forgets the records of one shard that have lapsed at now and returns
// how many they were. turn selects the shard; 256 consecutive turns cover the
// set. The caller's clock must not run ahead: a record is gone for good.
func (s *Set) Sweep(turn uint64, now rescind.Millis) int {
	sh := &s.shards[turn%numShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	v := sh.view.Load()
	var gone [rescind.NumScopes]int64
	lapsed := 0
	for r := range v.all() {
		if r.Lapsed(now) {
			gone[r.Digest.Scope()]++
			lapsed++
		}
	}
	if lapsed == 0 {
		return 0
	}
	sh.view.Store(v.rebuilt(func(r rescind.Record) bool { return !r.Lapsed(now) }, v.used-lapsed))
	for scope, n := range gone {
		s.held[scope].Add(-n)
	}
	s.total.Add(-int64(lapsed))
	return lapsed
}

// Scan returns records in the order of their digests, starting at from, about
// limit of them or fewer, and the digest to go on from; done means that there
// are no more. A record that is added during a series of scans may be missed
// by it; one that was held from the first to the last scan is not.
func (s *Set) Scan(from rescind.Digest, limit int) (records []rescind.Record, next rescind.Digest, done bool) {
	for i := from.Hi >> shardShift; i < numShards; i++ {
		first := len(records)
		for r := range s.shards[i].view.Load().all() {
			if !r.Digest.Less(from) {
				records = append(records, r)
			}
		}
		slices.SortFunc(records[first:], func(a, b rescind.Record) int {
			return cmp.Or(cmp.Compare(a.Digest.Hi, b.Digest.Hi), cmp.Compare(a.Digest.Lo, b.Digest.Lo))
		})
		if len(records) > limit {
			return records[:limit], records[limit].Digest, false
		}
	}
	return records, rescind.Digest{}, true
}

// Len returns how many records the set holds.
func (s *Set) Len() int { return int(s.total.Load()) }

// Held returns how many records of one scope the set holds.
func (s *Set) Held(scope rescind.Scope) int { return int(s.held[scope].Load()) }
