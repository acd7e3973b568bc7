package sets

import (
	"fmt"
	"strings"
	"time"

	"rescind"
	"rescind/bench/ids"
	"rescind/bench/report"
	"rescind/bench/stats"
)

// wholeToken compares the check of a token with all its claims to that of one
// identifier.
func (r *run) wholeToken() {
	jtiOnly, three, all := newOurs(), newOurs(), newOurs()
	for i := range mainSize {
		id := ids.Identifier(uint64(i))
		jtiOnly.Add(id)
		scope := rescind.ScopeJTI
		switch i % 10 {
		case 0, 1:
			scope = rescind.ScopeSID
		case 2, 3:
			scope = rescind.ScopeSub
		}
		three.set.Merge(three.record(scope, id))
		all.set.Merge(all.record(scope, id))
	}
	for i := range 10 {
		all.set.Merge(all.record(rescind.ScopeClientID, fmt.Sprint("leaked-client-", i)))
		all.set.Merge(all.record(rescind.ScopeKID, fmt.Sprint("leaked-key-", i)))
	}
	all.set.Merge(rescind.Record{
		Digest: all.set.Digest(rescind.Key{Scope: rescind.ScopeIss, Issuer: "https://former.example"}), IssuedBefore: rescind.Ever, ExpiresAt: expiry * 1000,
	})

	cases := []struct {
		what string
		set  ours
		keys int // how many of jti, sid and sub differ from token to token
	}{
		{"one identifier", jtiOnly, 1},
		{"all six claims, only jti held", jtiOnly, 3},
		{"all six claims, jti, sid and sub held", three, 3},
		{"all six claims, all scopes held", all, 3},
	}
	ns := make([][]float64, len(cases))
	for range r.rounds {
		for i, c := range cases {
			ns[i] = append(ns[i], timeTokens(c.set, c.keys, r.slice))
		}
	}
	fmt.Fprintf(r.w, "\nA whole token: jti, sid and sub of %d bytes, client_id, kid and iss. 1 M live entries, one goroutine. 1 in %d tokens holds an identifier\nthat is revoked in the scope it is held for, or in another.\n\n", ids.Len, ids.OneIn)
	t := report.Table{Title: "A whole token: jti, sid, sub, client_id, kid and iss", Columns: []string{"", "ns", "quartiles", "times one identifier"}}
	for i, c := range cases {
		low, high := stats.Quartiles(ns[i])
		t.Row(c.what, stats.Median(ns[i]), fmt.Sprintf("%.0f-%.0f", low, high), stats.Median(stats.Ratios(ns[i], ns[0])))
		fmt.Fprintf(r.w, "%38s  %6.1f ns  %3.0f-%.0f  %.2f x\n", c.what, stats.Median(ns[i]), low, high, stats.Median(stats.Ratios(ns[i], ns[0])))
	}
	r.res.Table(t)
	for _, held := range []string{"jti_held", "three_held", "all_held"} {
		r.res.Better["check.1M.token."+held+".ratio.one"] = report.Lower
	}
	r.res.Rounds("check.1M.token.jti_held.ratio.one", stats.Ratios(ns[1], ns[0]))
	r.res.Rounds("check.1M.token.three_held.ratio.one", stats.Ratios(ns[2], ns[0]))
	r.res.Rounds("check.1M.token.all_held.ratio.one", stats.Ratios(ns[3], ns[0]))
	r.res.Rounds("check.1M.token.all_held.ns", ns[3])
}

// timeTokens returns the time of one check of a token, in nanoseconds. With
// one key it has a jti only.
func timeTokens(set ours, keys int, d time.Duration) float64 {
	src := ids.NewSource(mainSize, uint64(time.Now().UnixNano()))
	src.OneIn *= uint64(keys) // of so many tokens one holds a revoked identifier, however many it holds
	busy, checks := time.Duration(0), 0
	for start := time.Now(); time.Since(start) < d; checks += ids.Chunk / keys {
		src.Next()
		t := rescind.Token{Issuer: issuer, IssuedAt: 1}
		if keys > 1 {
			t.ClientID = strings.Clone("web-shop") // as parsed, not the very string of the token before
			t.KeyID = "2026-11-a"                  // as the key's
		}
		began := time.Now()
		for i := 0; i+keys <= ids.Chunk; i += keys {
			t.ID = src.IDs[i]
			if keys > 1 {
				t.Session, t.Subject = src.IDs[i+1], src.IDs[i+2]
			}
			set.set.Revoked(&t)
		}
		busy += time.Since(began)
	}
	return float64(busy.Nanoseconds()) / float64(checks)
}
