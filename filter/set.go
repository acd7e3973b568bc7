package filter

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"rescind"
)

// The shard of a record is the first byte of its digest, so the order of
// shards is the order of digests. Their number bounds the pause of one rebuild
// to 1/256 of the set.
const (
	numShards  = 256
	shardBits  = 8
	shardShift = 64 - shardBits
)

// Set is the set of live revocations. All its methods are safe for concurrent
// use.
type Set struct {
	prf     *prf // of identifiers
	summing *prf
	issuers issuerCache

	filter atomic.Pointer[blocked]         // holds every record of views
	views  [numShards]atomic.Pointer[view] // what readers see; never nil

	_ [64]byte

	census         census
	withdrawn      withdrawn
	falsePositives atomic.Uint64

	writers [numShards]writer
	renewal renewal
}

// writer is who may change the view of one shard.
type writer struct {
	mu   sync.Mutex // never held by Revoked
	sums sums       // of what the view holds
	_    [48]byte   // one cache line each
}

// Options configures a Set.
type Options struct {
	// Key is the secret behind all digests: 16 bytes for identifiers and 16 for
	// the sums. All nodes of a cluster use the same for the life of their data.
	Key [32]byte

	// Max is how many records Add accepts, and MaxBytes for how many bytes of
	// memory, as Stats counts them. 0 means no limit.
	Max, MaxBytes int
}

// New returns an empty set.
func New(o Options) *Set {
	s := &Set{
		prf:     newPRF([16]byte(o.Key[:16])),
		summing: newPRF([16]byte(o.Key[16:])),
		census:  census{max: o.Max, maxBytes: o.MaxBytes},
	}
	first := newBlocked(minFilter)
	s.filter.Store(first)
	s.census.bytes.Add(int64(first.bytes()))
	for i := range s.views {
		s.views[i].Store(emptyView)
		s.writers[i].sums = sums{}
	}
	return s
}

// Digest returns the digest of k, which must be valid.
func (s *Set) Digest(k rescind.Key) rescind.Digest { return s.prf.digest(k) }

// Revoked reports whether a record covers t. Scopes that hold nothing cost one
// atomic load in all. It does not wait, and it allocates only where it remembers
// a client_id and kid that are new to it, see quiet.
func (s *Set) Revoked(t *rescind.Token) bool {
	held := s.census.scopes.Load()
	if held == 0 {
		return false
	}
	k := s.issuers.same(t.Issuer)
	if k == nil {
		var stranger knownIssuer
		k = s.issuers.get(s.prf, t.Issuer, &stranger)
	}
	if held != 1<<rescind.ScopeJTI {
		return s.revokedByAny(k, t, held)
	}
	h := s.prf.one(&k.start, t.ID)
	return s.filter.Load().mayHold(h) != 0 && t.ID != "" && s.confirm(k, rescind.ScopeJTI, h, t.IssuedAt)
}

// revokedByAny is Revoked for the scopes in held. It hashes first and reads
// memory afterwards, so that the processor waits for all cache lines at once.
func (s *Set) revokedByAny(k *knownIssuer, t *rescind.Token, held uint64) bool {
	added := s.census.quietAdded.Load()
	if held&quietScopes != 0 && !k.quiet.holds(t, added) {
		return s.revokedByAll(k, t, held, added)
	}
	f := s.filter.Load()
	var hashes [rescind.ScopeSub]uint128 // by scope, from 1 on
	hash(s.prf, &k.start, &t.ID, len(hashes), &hashes[0])
	maybe := f.mayHoldEach(hashes[:]) & held
	return maybe != 0 && s.confirmAny(k, t, maybe, hashes[:])
}

// revokedByAll is revokedByAny for a token whose client_id and kid are not
// known to be quiet. added is from before.
func (s *Set) revokedByAll(k *knownIssuer, t *rescind.Token, held, added uint64) bool {
	f := s.filter.Load()
	var hashes [rescind.ScopeIss]uint128
	hash(s.prf, &k.start, &t.ID, len(hashes)-1, &hashes[0])
	hashes[rescind.ScopeIss-1] = k.self
	maybe := f.mayHoldEach(hashes[:])
	if maybe&quietScopes == 0 {
		k.quiet.remember(t, added, hashes[0].hi)
	}
	return s.confirmAny(k, t, maybe&held, hashes[:])
}

// hash takes a token's identifiers from where they lie: one after the other, in
// the order of their scopes. If they no longer did, this would not compile, or
// TestRevokedByEachScope would fail.
var _ = [1]struct{}{}[unsafe.Offsetof(rescind.Token{}.KeyID)-unsafe.Offsetof(rescind.Token{}.ID)-unsafe.Sizeof("")*uintptr(rescind.ScopeKID-rescind.ScopeJTI)]

// confirmAny is confirm for the scopes in maybe.
func (s *Set) confirmAny(k *knownIssuer, t *rescind.Token, maybe uint64, hashes []uint128) bool {
	for ; maybe != 0; maybe &= maybe - 1 {
		scope := rescind.Scope(bits.TrailingZeros64(maybe))
		if t.Value(scope) != "" && s.confirm(k, scope, hashes[scope-1], t.IssuedAt) {
			return true
		}
	}
	return false
}

// confirm asks the exact tables whether they hold a record of an identifier of k
// with the given hash that covers a token issued at issuedAt.
func (s *Set) confirm(k *knownIssuer, scope rescind.Scope, hash uint128, issuedAt rescind.Millis) bool {
	d := hash.digest(scope, k.self.issuer())
	table, i, ok := s.views[d.Hi>>shardShift].Load().find(d)
	if !ok {
		s.falsePositives.Add(1)
	}
	return ok && table.covers(i, issuedAt)
}

// Lookup returns the record of d, if the set holds one. It waits for a writer
// of the same shard.
func (s *Set) Lookup(d rescind.Digest) (rescind.Record, bool) {
	shard := d.Hi >> shardShift
	w := &s.writers[shard]
	w.mu.Lock()
	defer w.mu.Unlock()
	t, i, ok := s.views[shard].Load().find(d)
	if !ok {
		return rescind.Record{}, false
	}
	return t.record(shard, i), true
}

// Add joins r into the set and returns what the set now holds for its digest,
// and whether that changed anything. It returns rescind.ErrFull if the digest
// is new and the set is at one of its limits.
func (s *Set) Add(r rescind.Record) (joined rescind.Record, changed bool, err error) {
	joined, changed, err = s.join(r, ordinary)
	s.renew(renewStep)
	return joined, changed, err
}

// AddByAdministrator is Add with a reserve of 1/64 beyond the limit, at least 1,024
// records. Those of a key, an issuer or a client have as many in any case, so that
// whoever fills the set keeps nobody from stopping that.
func (s *Set) AddByAdministrator(r rescind.Record) (joined rescind.Record, changed bool, err error) {
	joined, changed, err = s.join(r, administrator)
	s.renew(renewStep)
	return joined, changed, err
}

// Merge is Add without the limit, for what another node has already accepted:
// refusing that would lose an acknowledged revocation.
func (s *Set) Merge(r rescind.Record) (joined rescind.Record, changed bool) {
	joined, changed, _ = s.join(r, replicated)
	s.renew(renewStep)
	return joined, changed
}

func (s *Set) join(r rescind.Record, by claim) (rescind.Record, bool, error) {
	if s.withdrawn.replace(r) {
		return r, false, nil
	}
	joined, changed, err := s.put(r, by)
	if changed && joined.Withdraws() {
		s.withdrawn.add(joined) // last: what it replaces may go once it is found
	}
	return joined, changed, err
}

func (s *Set) put(r rescind.Record, by claim) (rescind.Record, bool, error) {
	shard := r.Digest.Hi >> shardShift
	w := &s.writers[shard]
	w.mu.Lock()
	defer w.mu.Unlock()
	v := s.views[shard].Load()
	if s.filter.Load().mayHold(uint128{r.Digest.Hi, r.Digest.Lo}) != 0 {
		if t, i, ok := v.find(r.Digest); ok {
			old := t.record(shard, i)
			joined := old.Join(r)
			if joined == old {
				return old, false, nil
			}
			if t == &v.wide || isNarrow(joined) {
				t.store(i, joined)
			} else {
				s.publish(shard, v.with(shard, joined))
			}
			w.sums.remove(s.summing, old)
			w.sums.add(s.summing, joined)
			return joined, true, nil
		}
	}
	if !s.census.add(r.Digest.Scope(), by) {
		return rescind.Record{}, false, rescind.ErrFull
	}
	if !v.insert(r) {
		s.publish(shard, v.with(shard, r))
	}
	s.remember(r.Digest)
	if quietScopes>>r.Digest.Scope()&1 != 0 {
		s.census.quietAdded.Add(1) // last: a check that has counted this one finds it
	}
	w.sums.add(s.summing, r)
	return r, true, nil
}

// publish makes v the view of a shard, whose lock the caller holds.
func (s *Set) publish(shard uint64, v *view) {
	s.census.bytes.Add(int64(v.bytes() - s.views[shard].Load().bytes()))
	s.views[shard].Store(v)
}

// SetLimits replaces Options.Max and MaxBytes. It drops nothing.
func (s *Set) SetLimits(records, bytes int) {
	s.census.mu.Lock()
	defer s.census.mu.Unlock()
	s.census.max, s.census.maxBytes = records, bytes
}

// Sweep forgets the records of one shard that have lapsed at now, or that a
// withdrawal of their issuer replaces, and returns how many they were. turn selects the shard; 256 consecutive turns cover the
// set. The caller's clock must not run ahead: a record is gone for good. A caller who
// doubts it passes 0, so that only what is withdrawn goes.
func (s *Set) Sweep(turn uint64, now rescind.Millis) int {
	defer s.renew(max(renewStep, s.Len()/(numShards/4))) // done in a quarter of a round
	shard := turn % numShards
	w := &s.writers[shard]
	w.mu.Lock()
	defer w.mu.Unlock()
	var gone [rescind.NumScopes]int
	forget := func(r rescind.Record) bool { return r.Lapsed(now) || s.withdrawn.replace(r) }
	s.publish(shard, s.views[shard].Load().without(shard, forget, func(r rescind.Record) {
		gone[r.Digest.Scope()]++
		w.sums.remove(s.summing, r)
		if r.Withdraws() {
			s.withdrawn.remove(r) // what it replaced has lapsed before
		}
	}))
	return s.census.remove(gone)
}

// Len returns how many records the set holds.
func (s *Set) Len() int { return int(s.census.total.Load()) }

// Held returns how many records of one scope the set holds.
func (s *Set) Held(scope rescind.Scope) int {
	s.census.mu.Lock()
	defer s.census.mu.Unlock()
	return s.census.held[scope]
}
