package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"rescind"
)

// TestAWithdrawnIssuerMakesRoom: an issuer has filled the nodes and is withdrawn. All
// that it issued is refused, and what it filled is free on every node, also on one
// that is started again and has it all on its disk, and on one that comes later.
func TestAWithdrawnIssuerMakesRoom(t *testing.T) {
	const most, rogue = 40, "https://rogue.example"
	r := newRigWith(t, 2, false, true, func(c *Config) { c.MaxRevocations = most })
	for i := range most {
		if _, err := r.nodes[0].Revoke(t.Context(), revocationOf(rescind.ScopeSID, rogue, fmt.Sprint(i)), rescind.AckAll); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.nodes[1].Revoke(t.Context(), revocationOf(rescind.ScopeJTI, iss, "ours"), rescind.AckAll); !errors.Is(err, rescind.ErrFull) {
		t.Fatal("the node is not full:", err)
	}
	rev := revocationOf(rescind.ScopeIss, rogue, "")
	rev.Withdraw = true
	receipt, err := r.nodes[0].Revoke(rescind.AsAdministrator(t.Context()), rev, rescind.AckAll)
	if err != nil || receipt.IssuedBefore != rescind.Ever || receipt.ExpiresAt.Time().Before(time.Now().Add(r.nodes[0].cfg.MaxLifetime)) {
		t.Fatalf("%+v, %v", receipt, err)
	}
	check := func(i int) {
		t.Helper()
		n := r.nodes[i]
		await(t, fmt.Sprintf("room on node %d", i), func() bool { return n.set.Len() < most/2 })
		future := rescind.MillisOf(time.Now().Add(time.Minute))
		for _, token := range []rescind.Token{{Issuer: rogue, ID: "x", Session: "3"}, {Issuer: rogue, ID: "never named", IssuedAt: future}} {
			if v := n.Check(token); v != rescind.Revoked {
				t.Errorf("node %d says %v of %+v", i, v, token)
			}
		}
		if v := n.Check(rescind.Token{Issuer: iss, ID: "free"}); v != rescind.Valid {
			t.Errorf("node %d says %v of a token of another issuer", i, v)
		}
	}
	check(0)
	check(1)
	r.revoke(1, "ours", rescind.AckAll)
	r.stop(1)
	r.start(1)
	await(t, "node 1 to be ready again", func() bool { return r.nodes[1].Status().Ready })
	check(1)
	r.cfgs = append(r.cfgs, r.cfgs[1])
	r.cfgs[2].Name, r.cfgs[2].DataDir = "late", t.TempDir()
	r.nodes = append(r.nodes, nil)
	r.start(2)
	await(t, "the newcomer to be ready", func() bool { return r.nodes[2].Status().Ready })
	check(2)
	r.refused("ours")
	// Withdrawn again, and revoked again, it takes no place.
	if _, err := r.nodes[0].Revoke(rescind.AsAdministrator(t.Context()), rev, rescind.AckAll); err != nil {
		t.Error("withdrawn again:", err)
	}
	before := r.nodes[0].set.Len()
	if _, err := r.nodes[0].Revoke(t.Context(), revocationOf(rescind.ScopeSID, rogue, "3"), rescind.AckLocal); err != nil || r.nodes[0].set.Len() != before {
		t.Error("a session of it:", err, before, r.nodes[0].set.Len())
	}
}

// TestWithdrawIsForIssuers, wholly, and bounded.
func TestWithdrawIsForIssuers(t *testing.T) {
	n := alone(t, nil)
	for what, change := range map[string]func(*rescind.Revocation){
		"another scope": func(r *rescind.Revocation) { r.Scope, r.ID = rescind.ScopeSub, "u" },
		"issued before": func(r *rescind.Revocation) { r.IssuedBefore = time.Now() },
		"expires at":    func(r *rescind.Revocation) { r.ExpiresAt = time.Now().Add(time.Hour) },
	} {
		rev := revocationOf(rescind.ScopeIss, "https://rogue.example", "")
		rev.Withdraw = true
		change(&rev)
		var invalid *rescind.InvalidError
		if _, err := n.Revoke(t.Context(), rev, rescind.AckLocal); !errors.As(err, &invalid) || invalid.Field != "withdraw" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range maxWithdrawn + 1 {
		rev := revocationOf(rescind.ScopeIss, fmt.Sprint("https://rogue.example/", i), "")
		rev.Withdraw = true
		if _, err := n.Revoke(t.Context(), rev, rescind.AckLocal); (i == maxWithdrawn) != errors.Is(err, rescind.ErrFull) {
			t.Errorf("withdrawal %d: %v", i, err)
		}
	}
}
