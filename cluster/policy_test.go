package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rescind"
)

// TestStaleNodeRejects: cut off from its peers, a node that is configured to
// reject says "stale" for what it can't know, and "revoked" for what it knows;
// when the peers are back it answers again.
func TestStaleNodeRejects(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, 2, false, true, func(c *Config) { c.RejectStale, c.MaxStaleness = true, time.Second })
	url := r.nats.ClientURL()
	r.revoke(0, "known", rescind.AckAll)
	r.nats.Shutdown()
	for i, n := range r.nodes {
		await(t, "stale", func() bool { return n.Check(tokenOf("x")) == rescind.Stale })
		if v := n.Check(tokenOf("known")); v != rescind.Revoked {
			t.Errorf("node %d says %v of a token that it knows to be revoked", i, v)
		}
		if v := n.CheckWithin(tokenOf("x"), time.Hour); v != rescind.Stale {
			t.Errorf("node %d: a generous caller loosens the policy: %v", i, v)
		}
		if s := n.Staleness(); !s.Known || s.Bound < time.Second {
			t.Errorf("node %d states %+v", i, s)
		}
	}
	restartNATS(t, r, url[len("nats://"):])
	for _, n := range r.nodes {
		await(t, "fresh again", func() bool { return n.Check(tokenOf("x")) == rescind.Valid })
	}
}

// TestIsolatedNodeRefuses: with that policy, a node that hears no peer for
// ForgetAfter acknowledges nothing more.
func TestIsolatedNodeRefuses(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, 2, false, true, func(c *Config) { c.ForgetAfter = time.Second })
	r.revoke(0, "before", rescind.AckAll)
	for _, n := range r.nodes {
		p := *n.policy.Load()
		p.RefuseIsolated = true
		if err := n.SetPolicy(p); err != nil {
			t.Fatal(err)
		}
	}
	r.nats.Shutdown()
	await(t, "refused", func() bool {
		_, err := r.nodes[0].Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}}, rescind.AckLocal)
		return errors.Is(err, rescind.ErrIsolated)
	})
}

// TestClonedFolderIsNoticed: when a node runs from a copy of another's data
// folder, the older of the two stops instead of mixing up the stream.
func TestClonedFolderIsNoticed(t *testing.T) {
	r := newRig(t, 2, false, true)
	r.revoke(0, "before", rescind.AckAll)
	r.stop(0)
	clone := filepath.Join(r.dir, "clone")
	if err := os.CopyFS(clone, os.DirFS(r.cfgs[0].DataDir)); err != nil {
		t.Fatal(err)
	}
	original := r.start(0)
	await(t, "ready", original.ready.Load)
	cfg := r.cfgs[0]
	cfg.DataDir = clone
	n, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	await(t, "the original stops", func() bool { return original.Err() != nil })
	if _, err := original.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}}, rescind.AckLocal); !errors.Is(err, rescind.ErrUnavailable) {
		t.Errorf("a revocation at a node that has failed: %v; another node can take it", err)
	}
	if original.Status().Ready {
		t.Error("a node that has failed is ready")
	}
}

// TestWipedNodeFillsItself: a node that lost its disk, and with it its
// identity, gets everything from its peers.
func TestWipedNodeFillsItself(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, true, true)
	for i := range 30 {
		r.revoke(i%3, string(rune('a'+i)), rescind.AckAll)
	}
	r.stop(1)
	if err := os.RemoveAll(r.cfgs[1].DataDir); err != nil {
		t.Fatal(err)
	}
	back := r.start(1)
	await(t, "ready", back.ready.Load)
	for i := range 30 {
		if v := back.Check(tokenOf(string(rune('a' + i)))); v != rescind.Revoked {
			t.Errorf("ready, and says %v of revocation %d", v, i)
		}
	}
}
