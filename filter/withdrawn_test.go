package filter

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"rescind"
)

const rogue = "https://rogue.example"

func withdrawalOf(s *Set, issuer string, expires rescind.Millis) rescind.Record {
	return rescind.Record{
		Digest: s.Digest(rescind.Key{Scope: rescind.ScopeIss, Issuer: issuer}), IssuedBefore: rescind.Ever, ExpiresAt: expires,
	}
}

func sweepAll(s *Set, now rescind.Millis) (gone int) {
	for turn := range uint64(numShards) {
		gone += s.Sweep(turn, now)
	}
	return gone
}

// TestWithdrawnIssuer: what an issuer's tokens caused leaves when it is withdrawn, and
// makes room; everything of it is refused all the same, and nothing of another.
func TestWithdrawnIssuer(t *testing.T) {
	const now, expires = rescind.Millis(1_800_000_000_000), rescind.Millis(1_800_000_600_000)
	s := New(Options{Key: testKey, Max: 1000})
	add := func(scope rescind.Scope, issuer, id string, until rescind.Millis) error {
		_, _, err := s.Add(rescind.Record{Digest: s.Digest(rescind.Key{Scope: scope, Issuer: issuer, ID: id}), IssuedBefore: rescind.Ever, ExpiresAt: until})
		return err
	}
	for i := range 990 {
		if err := add(rescind.Scopes()[i%5], rogue, fmt.Sprint(i), expires); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		if err := add(rescind.ScopeJTI, "https://honest.example", fmt.Sprint(i), expires); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(rescind.ScopeJTI, "https://honest.example", "one more", expires); err == nil {
		t.Fatal("the set is not full")
	}
	if _, changed, err := s.Add(withdrawalOf(s, rogue, expires)); !changed || err != nil {
		t.Fatal("the withdrawal:", changed, err)
	}
	if gone := sweepAll(s, now); gone != 990 || s.Len() != 11 {
		t.Errorf("%d have left, %d stay", gone, s.Len())
	}
	if err := add(rescind.ScopeJTI, "https://honest.example", "one more", expires); err != nil {
		t.Error("there is no room:", err)
	}
	for _, token := range []rescind.Token{{ID: "0"}, {ID: "never named", IssuedAt: now.Add(1000)}, {Subject: "anybody"}} {
		if token.Issuer = rogue; !s.Revoked(&token) {
			t.Errorf("%+v is accepted", token)
		}
	}
	if s.Revoked(&rescind.Token{Issuer: "https://honest.example", ID: "free"}) || !s.Revoked(&rescind.Token{Issuer: "https://honest.example", ID: "3"}) {
		t.Error("another issuer is judged otherwise")
	}
	// What comes again needs no place, and what lasts longer has one.
	if err := add(rescind.ScopeJTI, rogue, "0", expires); err != nil || s.Len() != 12 {
		t.Error("it comes again:", err, s.Len())
	}
	if err := add(rescind.ScopeJTI, rogue, "0", expires+1); err != nil || s.Len() != 13 {
		t.Error("for longer:", err, s.Len())
	}
	for turn := range uint64(numShards) {
		if !s.Audit(turn) {
			t.Fatal("the sums of a shard are wrong")
		}
	}
	if sweepAll(s, expires+2+rescind.Millis(rescind.RetentionMargin.Milliseconds())); s.Len() != 0 || len(s.Withdrawals()) != 0 {
		t.Errorf("%d stay for ever, and %v", s.Len(), s.Withdrawals())
	}
}

// TestWithdrawnConverges: sets that have heard the same, in whatever order and with
// sweeps in between, hold the same once all are swept, and refuse what any of it covers;
// so does one that was brought what the first had, part by part, while that changed.
func TestWithdrawnConverges(t *testing.T) {
	const now = rescind.Millis(1_800_000_000_000)
	rapid.Check(t, func(t *rapid.T) {
		sets := []*Set{New(Options{Key: testKey}), New(Options{Key: testKey}), New(Options{Key: testKey})}
		var records []rescind.Record
		for range rapid.IntRange(1, 40).Draw(t, "records") {
			issuer := rapid.SampledFrom([]string{rogue, "https://a.example", "https://b.example"}).Draw(t, "issuer")
			r := withdrawalOf(sets[0], issuer, now+rescind.Millis(rapid.IntRange(1, 5).Draw(t, "expires"))*1000)
			if rapid.IntRange(0, 5).Draw(t, "kind") > 0 {
				scope := rapid.SampledFrom([]rescind.Scope{rescind.ScopeJTI, rescind.ScopeSub, rescind.ScopeKID}).Draw(t, "scope")
				r.Digest = sets[0].Digest(rescind.Key{Scope: scope, Issuer: issuer, ID: fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "id"))})
				r.IssuedBefore = rapid.SampledFrom([]rescind.Millis{1000, 2000, rescind.Ever}).Draw(t, "before")
			}
			records = append(records, r)
		}
		// The last set is brought what the first one has from some moment on, part by
		// part while that changes, and what has come to the first one since.
		begin := rapid.IntRange(0, len(records)).Draw(t, "begin")
		cursor, done := rescind.Digest{}, false
		part := func() {
			var found []rescind.Record
			found, cursor, done = sets[0].Scan(cursor, 3)
			for _, r := range found {
				sets[2].Merge(r)
			}
		}
		for i, order := range [][]rescind.Record{records, rapid.Permutation(records).Draw(t, "order")} {
			for j, r := range order {
				if i == 0 && j >= begin && !done && rapid.Bool().Draw(t, "transfer") {
					part()
				}
				sets[i].Merge(r)
				for rapid.IntRange(0, 2).Draw(t, "sweep") == 0 {
					sets[i].Sweep(rapid.SampledFrom(records).Draw(t, "shard").Digest.Hi>>shardShift, now)
				}
			}
		}
		for !done {
			part()
		}
		for _, r := range records[begin:] {
			sets[2].Merge(r)
		}
		refuseAll := func() {
			for i, s := range sets {
				sweepAll(s, now)
				for _, r := range records {
					if !s.Refuses(r) {
						t.Fatalf("set %d does not refuse all that %+v does", i, r)
					}
				}
			}
		}
		refuseAll()
		for range 2 { // they tell each other
			for i, s := range sets {
				found, _, _ := sets[(i+1)%3].Scan(rescind.Digest{}, 1000)
				for _, r := range found {
					s.Merge(r)
				}
			}
		}
		refuseAll()
		all := rescind.Range{To: rescind.End}
		for i, s := range sets {
			if s.SumRange(all) != sets[0].SumRange(all) {
				t.Fatalf("set %d holds %v, and set 0 %v", i, s.SumRange(all), sets[0].SumRange(all))
			}
		}
	})
}
