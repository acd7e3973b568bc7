package filter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rescind"
)

var testHasher = NewHasher(1, 2)

func key(scope rescind.Scope, id string) rescind.Key {
	return rescind.Key{Scope: scope, Issuer: "https://issuer.example", ID: id}
}

func record(id string, expires rescind.Millis) rescind.Record {
	return rescind.Record{
		Digest:       testHasher.Digest(key(rescind.ScopeJTI, id)),
		IssuedBefore: rescind.Ever,
		ExpiresAt:    expires,
	}
}

// TestModel compares the set with a plain map over random histories of adds,
// merges, sweeps and a clock that steps both ways.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{0, 3, 50}).Draw(t, "limit")
		s := New(testHasher, limit)
		model := map[rescind.Digest]rescind.Record{}
		now := rescind.Millis(1e12)
		gen := rapid.Custom(func(t *rapid.T) rescind.Record {
			scope := rapid.SampledFrom([]rescind.Scope{rescind.ScopeJTI, rescind.ScopeSub}).Draw(t, "scope")
			// Few prefixes and few identifiers make collisions in a shard likely.
			d := rescind.MakeDigest(scope, rapid.Uint64Range(0, 3).Draw(t, "shard")<<shardShift|1, rapid.Uint64Range(0, 40).Draw(t, "id")<<20)
			return rescind.Record{
				Digest:       d,
				IssuedBefore: rescind.Millis(rapid.Int64Range(0, 10).Draw(t, "before")),
				ExpiresAt:    now + rescind.Millis(rapid.Int64Range(-200_000, 200_000).Draw(t, "expires")),
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
				scanned := 0
				var from, last rescind.Digest
				for done := false; !done; {
					var records []rescind.Record
					records, from, done = s.Scan(from, 7)
					for _, r := range records {
						if r != model[r.Digest] || !last.Less(r.Digest) {
							t.Fatalf("Scan yields %v after %v; model has %v", r, last, model[r.Digest])
						}
						last = r.Digest
						scanned++
					}
				}
				if scanned != len(model) {
					t.Fatalf("Scan yields %d records of %d", scanned, len(model))
				}
			},
		})
	})
}

// TestNoFalseNegative looks up what has been added while one goroutine adds and
// another sweeps at full speed. With the lock taken out of Sweep it fails at
// once (tried on 2026-11-23).
func TestNoFalseNegative(t *testing.T) {
	const n = 20_000
	s := New(testHasher, 0)
	records := make([]rescind.Record, n)
	for i := range records {
		expires := rescind.Millis(1 << 50)
		if i%4 == 0 {
			expires = 0 // swept as soon as possible
		}
		records[i] = record(fmt.Sprint("token-", i), expires)
		records[i].Digest.Hi >>= 8 // all in one shard, so that writers meet
	}
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
			s.Sweep(0, 1<<40)
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
					r := records[rand.Int64N(upto)]
					if r.ExpiresAt == 0 {
						continue
					}
					if got, ok := s.Lookup(r.Digest); !ok || got != r {
						t.Errorf("lost %v of %d: found %v %v", r, upto, got, ok)
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
	s.Sweep(0, 1<<40)
	if want := n - n/4; s.Len() != want || s.Held(rescind.ScopeJTI) != want {
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
			s := New(testHasher, 0)
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
		d := testHasher.Digest(k)
		if other, ok := seen[d]; ok {
			t.Errorf("%v and %v share a digest", k, other)
		}
		seen[d] = k
		if d.Scope() != k.Scope {
			t.Errorf("digest of %v says scope %v", k, d.Scope())
		}
	}
	if NewHasher(1, 3).Digest(key(rescind.ScopeJTI, "x")) == testHasher.Digest(key(rescind.ScopeJTI, "x")) {
		t.Error("the key does not matter")
	}
}

func TestFalsePositiveRate(t *testing.T) {
	s := New(testHasher, 0)
	const n = 100_000
	for i := range n {
		s.Merge(record(fmt.Sprint("in-", i), 1<<50))
	}
	positives := 0
	for i := range n {
		d := testHasher.Digest(key(rescind.ScopeJTI, fmt.Sprint("out-", i)))
		if s.shards[d.Hi>>shardShift].view.Load().mayHold(d) {
			positives++
		}
	}
	if rate := float64(positives) / n; rate > 0.002 {
		t.Errorf("false-positive rate %.4f, want at most 0.002", rate)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	s := New(testHasher, 0)
	for i := range 1000 {
		s.Merge(record(fmt.Sprint(i), 1<<50))
	}
	token := rescind.Token{Issuer: "https://issuer.example", ID: "absent", Session: "s", Subject: "u"}
	if n := testing.AllocsPerRun(1000, func() { s.Revoked(&token) }); n != 0 {
		t.Errorf("a check allocates %v times", n)
	}
}

// BenchmarkCheck compares one look-up of an absent identifier with the design
// that most teams would write: a Bloom filter and a map behind a RWMutex.
func BenchmarkCheck(b *testing.B) {
	const n = 1_000_000
	s := New(testHasher, 0)
	rival := newPlain(n)
	for i := range n {
		id := fmt.Sprintf("%032d", i)
		s.Merge(record(id, 1<<50))
		rival.add(id, time.Now().Add(time.Hour))
	}
	tokens := make([]rescind.Token, 1<<16)
	for i := range tokens {
		tokens[i] = rescind.Token{Issuer: "https://issuer.example", ID: fmt.Sprintf("absent-%029d", i)}
	}
	b.Run("rescind", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.Int(); pb.Next(); i++ {
				if s.Revoked(&tokens[i&(1<<16-1)]) {
					b.Error("revoked")
				}
			}
		})
	})
	b.Run("bloom+rwmutex+map", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.Int(); pb.Next(); i++ {
				if rival.revoked(tokens[i&(1<<16-1)].ID) {
					b.Error("revoked")
				}
			}
		})
	})
}
