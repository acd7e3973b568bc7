package filter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unique"

	"pgregory.net/rapid"

	"rescind"
)

var testPRF = newPRF([16]byte(testKey[:16]))

var testKey = [32]byte{1, 2, 3}

func newSet(limit int) *Set { return New(Options{Key: testKey, Max: limit}) }

func key(scope rescind.Scope, id string) rescind.Key {
	return rescind.Key{Scope: scope, Issuer: "https://issuer.example", ID: id}
}

func record(id string, expires rescind.Millis) rescind.Record {
	return rescind.Record{
		Digest:       testPRF.digest(key(rescind.ScopeJTI, id)),
		IssuedBefore: rescind.Ever,
		ExpiresAt:    expires,
	}
}

// TestModel compares the set with a plain map over random histories of adds,
// merges, sweeps and a clock that steps both ways.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{0, 3, 50}).Draw(t, "limit")
		s := newSet(limit)
		model := map[rescind.Digest]rescind.Record{}
		now := narrowFrom + 1e9
		gen := rapid.Custom(func(t *rapid.T) rescind.Record {
			scope := rapid.SampledFrom([]rescind.Scope{rescind.ScopeJTI, rescind.ScopeSub}).Draw(t, "scope")
			// Few prefixes and few identifiers make collisions in a shard likely.
			d := rescind.MakeDigest(scope, rapid.Uint64Range(0, 3).Draw(t, "shard")<<shardShift|rapid.SampledFrom([]uint64{1, 1<<shardShift - 1}).Draw(t, "end"), rapid.Uint64Range(0, 40).Draw(t, "id")<<20)
			return rescind.Record{
				Digest:       d,
				IssuedBefore: rapid.SampledFrom([]rescind.Millis{0, 5, 10, rescind.Ever}).Draw(t, "before"),
				ExpiresAt:    now + rapid.SampledFrom([]rescind.Millis{-2_000_000, -100_000, 0, 100_000, 2_000_000, narrowSpan, 1 << 60}).Draw(t, "expires") + rescind.Millis(rapid.Int64Range(0, 2).Draw(t, "more")),
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				r := gen.Draw(t, "record")
				old, known := model[r.Digest]
				joined, changed, err := s.Add(r)
				if !known && limit > 0 && len(model) >= limit {
					if !errors.Is(err, rescind.ErrFull) {
						t.Fatalf("add beyond the limit: %v", err)
					}
					return
				}
				want := r
				if known {
					want = old.Join(r)
				}
				if err != nil || joined != want || changed != (!known || want != old) {
					t.Fatalf("Add(%v) = %v, %v, %v; want %v", r, joined, changed, err, want)
				}
				model[r.Digest] = want
			},
			"merge": func(t *rapid.T) {
				r := gen.Draw(t, "record")
				want := r
				if old, ok := model[r.Digest]; ok {
					want = old.Join(r)
				}
				if joined, _ := s.Merge(r); joined != want {
					t.Fatalf("Merge(%v) = %v; want %v", r, joined, want)
				}
				model[r.Digest] = want
			},
			"sweep": func(t *rapid.T) {
				for turn := range uint64(4) {
					s.Sweep(turn, now)
				}
				for d, r := range model {
					if r.Lapsed(now) {
						delete(model, d)
					}
				}
			},
			"clock": func(t *rapid.T) {
				now += rescind.Millis(rapid.Int64Range(-100_000, 300_000).Draw(t, "step"))
				now = max(now, narrowFrom)
			},
			"": func(t *rapid.T) {
				if s.Len() != len(model) {
					t.Fatalf("Len() = %d, model has %d", s.Len(), len(model))
				}
				for d, want := range model {
					if got, ok := s.Lookup(d); !ok || got != want {
						t.Fatalf("Lookup(%v) = %v, %v; want %v", d, got, ok, want)
					}
				}
				checkSums(t, s, model)
				scanned := map[rescind.Digest]bool{}
				limit := rapid.IntRange(1, 12).Draw(t, "limit")
				var from rescind.Digest
				for done := false; !done; {
					var records []rescind.Record
					var next rescind.Digest
					if records, next, done = s.Scan(from, limit); !done && !from.Less(next) {
						t.Fatalf("Scan goes on from %v after %v", next, from)
					}
					for _, r := range records {
						if r != model[r.Digest] || scanned[r.Digest] {
							t.Fatalf("Scan yields %v, again %v; model has %v", r, scanned[r.Digest], model[r.Digest])
						}
						scanned[r.Digest] = true
					}
					if shared := len(records) > 0 && !slices.ContainsFunc(records, func(r rescind.Record) bool { return r.Digest.Lo != records[0].Digest.Lo }); len(records) > limit && !shared {
						t.Fatalf("Scan yields %d records, more than %d", len(records), limit)
					}
					from = next
				}
				if len(scanned) != len(model) {
					t.Fatalf("Scan yields %d records of %d", len(scanned), len(model))
				}
			},
		})
	})
}

// checkSums compares the sum of each bucket with that of the records of a model.
func checkSums(t *rapid.T, s *Set, model map[rescind.Digest]rescind.Record) {
	want := sums{}
	for _, r := range model {
		want.add(s.summing, r)
	}
	for b, sum := range want {
		if got := s.SumRange(rescind.Range{From: rescind.Bound{Bucket: b}, To: rescind.Bound{Bucket: b + 1}}); got != sum {
			t.Fatalf("bucket %d has the sum %v, want %v", b, got, sum)
		}
	}
	if got := s.SumRange(everything); got.Count != uint64(len(model)) {
		t.Fatalf("the sum counts %d records of %d", got.Count, len(model))
	}
}

var everything = rescind.Range{To: rescind.End}

// TestNoFalseNegative checks tokens that have been revoked while one goroutine
// adds and another sweeps at full speed, all in one shard. With the lock taken
// out of Sweep it fails five times out of six (tried on 2026-11-25).
func TestNoFalseNegative(t *testing.T) {
	const n = 8_000
	s := newSet(0)
	tokens, records := make([]rescind.Token, 0, n), make([]rescind.Record, 0, n)
	for i := 0; len(tokens) < n; i++ {
		r := record(fmt.Sprint("token-", i), 1<<50)
		if r.Digest.Hi>>shardShift != 0 {
			continue
		}
		switch i % 4 {
		case 0:
			r.ExpiresAt = narrowFrom // swept as soon as possible
		case 1:
			r.ExpiresAt = narrowFrom + narrowSpan - 1 // narrow
		case 2:
			r.IssuedBefore = 1000
		}
		tokens = append(tokens, rescind.Token{Issuer: "https://issuer.example", ID: fmt.Sprint("token-", i), IssuedAt: 1000, ExpiresAt: r.ExpiresAt})
		records = append(records, r)
	}
	const now = narrowFrom + 1<<30
	var added atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i, r := range records {
			s.Merge(r)
			added.Store(int64(i) + 1)
		}
	})
	wg.Go(func() {
		for added.Load() < n {
			s.Sweep(0, now)
		}
	})
	for range 4 {
		wg.Go(func() {
			for {
				upto := added.Load()
				for range 100 {
					if upto == 0 {
						break
					}
					token := &tokens[rand.Int64N(upto)]
					if token.ExpiresAt > now && !s.Revoked(token) {
						t.Errorf("lost %v of %d", token, upto)
						return
					}
				}
				if upto == n {
					return
				}
			}
		})
	}
	wg.Wait()
	s.Sweep(0, now)
	want := 0
	for _, r := range records {
		if r.ExpiresAt > now {
			want++
		}
	}
	if s.Len() != want || s.Held(rescind.ScopeJTI) != want {
		t.Errorf("Len() = %d, Held = %d, want %d", s.Len(), s.Held(rescind.ScopeJTI), want)
	}
}

func TestRevokedByEachScope(t *testing.T) {
	token := rescind.Token{
		Issuer: "https://issuer.example", ID: "t", Session: "s", Subject: "u", ClientID: "c", KeyID: "k",
		IssuedAt: 1000,
	}
	for _, scope := range rescind.Scopes() {
		t.Run(scope.String(), func(t *testing.T) {
			s := newSet(0)
			k := key(scope, token.Value(scope))
			s.Merge(rescind.Record{Digest: s.Digest(k), IssuedBefore: 1000, ExpiresAt: 1 << 50})
			if !s.Revoked(&token) {
				t.Error("a token issued at IssuedBefore is not revoked")
			}
			newer := token
			newer.IssuedAt = 1001
			if s.Revoked(&newer) {
				t.Error("a token issued after IssuedBefore is revoked")
			}
			undated := token
			undated.IssuedAt = 0
			if !s.Revoked(&undated) {
				t.Error("a token without iat is not revoked")
			}
			foreign := token
			foreign.Issuer = "https://other.example"
			if s.Revoked(&foreign) {
				t.Error("another issuer's token is revoked")
			}
		})
	}
}

func TestDigestSeparatesItsInputs(t *testing.T) {
	seen := map[rescind.Digest]rescind.Key{}
	for _, k := range []rescind.Key{
		{Scope: rescind.ScopeJTI, Issuer: "a", ID: "bc"},
		{Scope: rescind.ScopeJTI, Issuer: "ab", ID: "c"},
		{Scope: rescind.ScopeSub, Issuer: "ab", ID: "c"},
		{Scope: rescind.ScopeJTI, Issuer: "ab", ID: "c\x00"},
		{Scope: rescind.ScopeIss, Issuer: "ab"},
		{Scope: rescind.ScopeJTI, Issuer: "ab", ID: "ab"},
		{Scope: rescind.ScopeJTI, Issuer: "ab", ID: "é"},       // NFC
		{Scope: rescind.ScopeJTI, Issuer: "ab", ID: "e\u0301"}, // NFD
	} {
		d := testPRF.digest(k)
		if other, ok := seen[d]; ok {
			t.Errorf("%v and %v share a digest", k, other)
		}
		seen[d] = k
		if d.Scope() != k.Scope {
			t.Errorf("digest of %v says scope %v", k, d.Scope())
		}
	}
	if newPRF([16]byte{3}).digest(key(rescind.ScopeJTI, "x")) == testPRF.digest(key(rescind.ScopeJTI, "x")) {
		t.Error("the key does not matter")
	}
}

// TestFlood grows a set 200 times over and lets nearly all of it lapse. All
// the while what has been added is found, the filter is as rarely wrong as it
// is made for, and in the end memory is back.
//
// It fails if a record that is added during a renewal goes into only one of
// the two filters, and if the new one takes over before it holds all (tried on
// 2026-11-23).
func TestFlood(t *testing.T) {
	s := newSet(0)
	const n = 200_000
	token := func(i int) *rescind.Token {
		return &rescind.Token{Issuer: "https://issuer.example", ID: fmt.Sprint("in-", i)}
	}
	for i := range n {
		expires := narrowFrom + 1<<39
		if i%100 != 0 {
			expires = narrowFrom
		}
		s.Merge(record(fmt.Sprint("in-", i), expires))
		if !s.Revoked(token(i)) {
			t.Fatalf("%d is not found when it has just been added", i)
		}
		if i%9973 == 0 {
			if rate := falsePositives(s); rate > 2*designRate {
				t.Errorf("%d records: false-positive rate %.4f, made for %.4f", i, rate, designRate)
			}
		}
	}
	for i := range n {
		if !s.Revoked(token(i)) {
			t.Fatalf("%d is lost", i)
		}
	}
	full := s.Stats().Bytes
	if perRecord := float64(full) / n; perRecord > 32 {
		t.Errorf("%.1f bytes per record", perRecord)
	}
	for turn := range uint64(2 * numShards) {
		s.Sweep(turn, narrowFrom+1<<30)
		if i := int(turn) * 100; !s.Revoked(token(i)) {
			t.Fatalf("%d is lost in a sweep", i)
		}
	}
	if left := s.Stats().Bytes; s.Len() != n/100 || left > full/20 {
		t.Errorf("%d records left of %d in %d bytes of %d", s.Len(), n, left, full)
	}
	for i := range n {
		s.Revoked(token(n + i))
	}
	if counted := float64(s.Stats().FalsePositives) / n; counted == 0 || counted > 2*designRate {
		t.Errorf("counted %.4f false positives per check, made for %.4f", counted, designRate)
	}
	if rate := falsePositives(s); rate > 2*designRate {
		t.Errorf("after the sweep: false-positive rate %.4f, made for %.4f", rate, designRate)
	}
}

// TestChosenDigests: somebody who knows the key chooses digests that share no
// bit of the filter and so set more of them than chance would. It grows by its
// measured fill, before it holds what it was made for.
func TestChosenDigests(t *testing.T) {
	s := newSet(0)
	f := s.filter.Load()
	for hi := uint64(1); s.filter.Load() == f; hi += 1 << 40 {
		lo := hi * 0x9e3779b97f4a7c15
		b := f.at(hi)
		if (b.probe(0, lo)|b.probe(1, lo)|b.probe(2, lo)|b.probe(3, lo))&1 != 0 {
			continue
		}
		if f.fill() > maxFill+0.02 {
			t.Fatalf("%.2f of the bits are set, and the filter goes on", f.fill())
		}
		s.Merge(rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, hi, lo), IssuedBefore: rescind.Ever, ExpiresAt: 1 << 50})
	}
	if held := f.added.Load(); held >= int64(f.limit) {
		t.Errorf("the filter was replaced at %d records, when it was full anyway", held)
	}
}

// TestCrowdedDigests: digests that somebody has chosen to be neighbours, at the
// end of a table, only cost time.
func TestCrowdedDigests(t *testing.T) {
	s := newSet(0)
	const n = 2000
	for i := range uint64(n) {
		s.Merge(rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, 1<<64-1, i<<3), IssuedBefore: rescind.Ever, ExpiresAt: narrowFrom})
	}
	for i := range uint64(n) {
		if _, ok := s.Lookup(rescind.MakeDigest(rescind.ScopeJTI, 1<<64-1, i<<3)); !ok {
			t.Fatalf("lost %d", i)
		}
	}
	if bytes := s.Stats().Bytes; bytes > 100*n {
		t.Errorf("%d bytes for %d records", bytes, n)
	}
}

// falsePositives returns the share of absent identifiers of which the filter
// says "maybe".
func falsePositives(s *Set) float64 {
	const n = 20_000
	positives, absent := uint64(0), testPRF.one(&testPRF.start, "absent")
	for i := range n {
		positives += s.filter.Load().mayHold(testPRF.one(&absent, fmt.Sprint(i)))
	}
	return float64(positives) / n
}

func TestSumsTellSetsApart(t *testing.T) {
	r := record("a", narrowFrom+1<<39)
	later, longer, other := r, r, record("b", r.ExpiresAt)
	r.IssuedBefore = 5
	later.IssuedBefore = 6
	longer.IssuedBefore = 5
	longer.ExpiresAt++
	seen := map[rescind.Sum][]rescind.Record{{}: nil}
	for _, list := range [][]rescind.Record{{r}, {later}, {longer}, {other}, {r, other}, {other, later}} {
		var sum rescind.Sum
		for range 5 {
			s := newSet(0)
			for _, i := range append(rand.Perm(len(list)), 0) { // in any order, one of them twice
				s.Merge(list[i])
			}
			if sum != (rescind.Sum{}) && s.SumRange(everything) != sum {
				t.Errorf("%v has two sums", list)
			}
			sum = s.SumRange(everything)
		}
		if same, ok := seen[sum]; ok {
			t.Errorf("%v has the sum of %v", list, same)
		}
		seen[sum] = list
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	s := newSet(0)
	for i := range 1000 {
		s.Merge(record(fmt.Sprint(i), 1<<50))
	}
	for _, scope := range rescind.Scopes() {
		s.Merge(rescind.Record{Digest: s.Digest(foreign(scope)), IssuedBefore: rescind.Ever, ExpiresAt: 1 << 50})
	}
	token := rescind.Token{Issuer: "https://issuer.example", ID: "absent", Session: "s", Subject: "u", ClientID: "c", KeyID: "k"}
	if n := testing.AllocsPerRun(1000, func() { s.Revoked(&token) }); n != 0 {
		t.Errorf("a check allocates %v times", n)
	}
	issuers := make([]string, 0, 2*maxIssuers)
	for i := range cap(issuers) { // more than are remembered
		issuers = append(issuers, fmt.Sprint("issuer ", i))
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		token.Issuer = issuers[i%len(issuers)]
		i++
		s.Revoked(&token)
	}); n != 0 {
		t.Errorf("a check of an unknown issuer's token allocates %v times", n)
	}
	if s.Revoked(&token) {
		t.Error("the token is revoked: not all of a check was measured")
	}
}

// foreign returns a key of another issuer.
func foreign(scope rescind.Scope) rescind.Key {
	k := rescind.Key{Scope: scope, Issuer: "https://other.example", ID: "x"}
	if scope == rescind.ScopeIss {
		k.ID = ""
	}
	return k
}

// BenchmarkRevoked checks tokens that nobody has revoked against a set that
// fits the processor's cache: what the instructions cost. bench check measures
// sets of real size, beside what one would use instead.
func BenchmarkRevoked(b *testing.B) {
	s, all := newSet(0), newSet(0)
	for i := range 1000 {
		s.Merge(record(fmt.Sprint("in-", i), narrowFrom+1<<39))
		all.Merge(record(fmt.Sprint("in-", i), narrowFrom+1<<39))
	}
	for _, scope := range rescind.Scopes() {
		all.Merge(rescind.Record{Digest: s.Digest(foreign(scope)), IssuedBefore: rescind.Ever, ExpiresAt: narrowFrom + 1<<39})
	}
	ids := make([]string, 1<<10)
	for i := range ids {
		ids[i] = fmt.Sprintf("absent-%029d", i)
	}
	const mask = 1<<10 - 1
	verifiers := unique.Make("https://issuer.example") // as package token hands it out
	for name, issuer := range map[string]string{"jti": verifiers.Value(), "jti, issuer from elsewhere": strings.Clone("https://issuer.example")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			t := rescind.Token{Issuer: issuer}
			for i := range b.N {
				t.ID = ids[i&mask]
				s.Revoked(&t)
			}
		})
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		t := rescind.Token{Issuer: verifiers.Value(), ClientID: "web-shop", KeyID: "2026-11-a"}
		for i := range b.N {
			t.ID, t.Session, t.Subject = ids[i&mask], ids[(i+1)&mask], ids[(i+2)&mask]
			all.Revoked(&t)
		}
	})
}
