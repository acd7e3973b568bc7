package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"rescind"
)

// Each part of a policy holds for the calls after SetPolicy.
func TestSetPolicy(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, 2, false, true, func(c *Config) { c.MaxRevocations = 1 })
	n := r.nodes[0]
	revoke := func(id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := n.Revoke(ctx, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: id}}, rescind.AckDefault)
		return err
	}
	set := func(p Policy) {
		t.Helper()
		if err := n.SetPolicy(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := revoke("1"); err != nil {
		t.Fatal(err)
	}
	if err := revoke("2"); !errors.Is(err, rescind.ErrFull) {
		t.Errorf("at the limit: %v", err)
	}
	set(Policy{MaxRevocations: 2})
	if err := revoke("2"); err != nil || n.Status().Max != 2 {
		t.Errorf("below a raised limit of %d: %v", n.Status().Max, err)
	}
	set(Policy{MaxRevocations: 1})
	if err := revoke("3"); !errors.Is(err, rescind.ErrFull) || n.Check(tokenOf("2")) != rescind.Revoked {
		t.Errorf("above a lowered limit: %v", err)
	}
	set(Policy{MaxBytes: 1})
	if err := revoke("3"); !errors.Is(err, rescind.ErrFull) || n.Status().MaxBytes != 1 {
		t.Errorf("above a limit of bytes: %v", err)
	}
	set(Policy{Ack: 5})
	if err := revoke("3"); !errors.Is(err, rescind.ErrUnconfirmed) {
		t.Errorf("with an acknowledgement that nobody can give: %v", err)
	}
	for _, bad := range []Policy{{MaxRevocations: -1}, {MaxBytes: -1}, {VersionWait: time.Hour}, {Ack: -9}} {
		if n.SetPolicy(bad) == nil || bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	set(Policy{RejectStale: true, MaxStaleness: time.Nanosecond})
	if v := n.Check(tokenOf("x")); v != rescind.Stale {
		t.Errorf("with a bound that nobody meets: %v", v)
	}
	set(Policy{})
	if v := n.Check(tokenOf("x")); v != rescind.Valid {
		t.Errorf("with no bound: %v", v)
	}
	r.nats.Shutdown()
	set(Policy{RefuseIsolated: true, ForgetAfter: time.Second})
	await(t, "refused in isolation", func() bool { return errors.Is(revoke("4"), rescind.ErrIsolated) })
	set(Policy{})
	if err := revoke("4"); err != nil {
		t.Errorf("in isolation that does not matter: %v", err)
	}
}

// TestAMemberIsRemoved: a lower ForgetAfter removes who is gone for good, without a
// restart, and nobody else.
func TestAMemberIsRemoved(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, 3, false, true, func(c *Config) { c.RejectStale, c.MaxStaleness = true, 3*time.Second })
	n := r.nodes[0]
	await(t, "all are fresh", func() bool { return n.Check(tokenOf("x")) == rescind.Valid })
	r.nodes[2].closeCarriers(t.Context()) // as if it had been killed: it says no goodbye
	await(t, "stale", func() bool { return n.Check(tokenOf("x")) == rescind.Stale })
	if m := n.Status().Members; len(m) != 2 {
		t.Fatalf("members %+v", m)
	}
	p := *n.policy.Load()
	p.ForgetAfter = 2 * time.Second
	if err := n.SetPolicy(p); err != nil {
		t.Fatal(err)
	}
	await(t, "removed, and checks are answered", func() bool { return n.Check(tokenOf("x")) == rescind.Valid })
	if m := n.Status().Members; len(m) != 1 || m[0].Name != "n1" {
		t.Errorf("members %+v", m)
	}
}
