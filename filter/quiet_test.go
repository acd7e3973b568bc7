package filter

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"rescind"
)

// TestQuiet: a pair of client_id and kid that has been found quiet is
// remembered, and no longer once one of them, or the issuer, is revoked.
func TestQuiet(t *testing.T) {
	token := rescind.Token{Issuer: "https://issuer.example", ID: "t", ClientID: "shop", KeyID: "key 1", IssuedAt: 1000}
	for _, scope := range []rescind.Scope{rescind.ScopeClientID, rescind.ScopeKID, rescind.ScopeIss} {
		t.Run(scope.String(), func(t *testing.T) {
			s := newSet(0)
			remembered := func() bool {
				k := s.issuers.equal(token.Issuer)
				return k != nil && k.quiet.holds(&token, s.census.quietAdded.Load())
			}
			merge := func(k rescind.Key, expires rescind.Millis) {
				s.Merge(rescind.Record{Digest: s.Digest(k), IssuedBefore: 1000, ExpiresAt: expires})
			}
			merge(rescind.Key{Scope: rescind.ScopeKID, Issuer: "https://other.example", ID: "key 1"}, 1<<50)
			if s.Revoked(&token) || !remembered() || s.Revoked(&token) {
				t.Fatal("a quiet pair is not remembered")
			}
			merge(key(rescind.ScopeJTI, "another token"), 1<<50)
			if !remembered() {
				t.Error("a revocation of a token makes pairs be forgotten")
			}
			merge(key(scope, token.Value(scope)), 0)
			if remembered() || !s.Revoked(&token) || !s.Revoked(&token) {
				t.Error("a revoked token passes")
			}
			s.Sweep(s.Digest(key(scope, token.Value(scope))).Hi>>shardShift, 1<<49)
			if s.Revoked(&token) {
				t.Error("a record that has lapsed still holds")
			}
			merge(key(scope, token.Value(scope)), 1<<50)
			if !s.Revoked(&token) {
				t.Error("a token that is revoked again passes")
			}
		})
	}
}

// TestQuietPlaces: pairs that share a place take it from each other only
// seldom, and a new one at once when the other is out of date.
func TestQuietPlaces(t *testing.T) {
	var q quiet
	first, second := &rescind.Token{ClientID: "a", KeyID: "1"}, &rescind.Token{ClientID: "a", KeyID: "2"}
	q.remember(first, 7, 1)
	q.remember(second, 7, 1)
	if !q.holds(first, 7) || q.holds(second, 7) || q.holds(first, 8) {
		t.Error("the first pair is not remembered, or for too long")
	}
	q.remember(second, 7, 1024)
	if q.holds(first, 7) || !q.holds(second, 7) {
		t.Error("the second never takes the place")
	}
	q.remember(first, 8, 1)
	if !q.holds(first, 8) {
		t.Error("a pair that is out of date keeps its place")
	}
}

// TestNoFalseNegativeOfQuietPairs revokes applications while others check
// tokens of theirs, remembered as quiet just before. It fails at once if
// records are counted before the filter has them, or not at all (tried on
// 2026-11-25).
func TestNoFalseNegativeOfQuietPairs(t *testing.T) {
	const n = 20_000
	s := newSet(0)
	s.Merge(rescind.Record{Digest: s.Digest(key(rescind.ScopeKID, "old key")), IssuedBefore: rescind.Ever, ExpiresAt: 1 << 50})
	var revoked atomic.Int64 // of applications 0 to revoked-1 no token may pass
	var wg sync.WaitGroup
	token := func(i int64) *rescind.Token {
		return &rescind.Token{Issuer: "https://issuer.example", ID: "t", ClientID: fmt.Sprint("app ", i), KeyID: "key"}
	}
	for range 3 {
		wg.Go(func() {
			for {
				i := revoked.Load()
				if i > 0 && !s.Revoked(token(i-1)) {
					t.Errorf("a token of application %d passes", i-1)
					return
				}
				if i == n {
					return
				}
				s.Revoked(token(i)) // about to be revoked; likely remembered
			}
		})
	}
	for i := range int64(n) {
		s.Merge(rescind.Record{Digest: s.Digest(key(rescind.ScopeClientID, token(i).ClientID)), IssuedBefore: rescind.Ever, ExpiresAt: 1 << 50})
		revoked.Store(i + 1)
	}
	wg.Wait()
}
