package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"rescind"
)

// TestBackOutOfReach: a node that left gracefully and is started again where nobody
// hears it acknowledges nothing that nobody counts, and says why; with
// RefuseIsolated it refuses. Once a member has echoed it, all is as ever.
func TestBackOutOfReach(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		r := newRigWith(t, 2, true, false, func(c *Config) { c.RefuseIsolated = refuse })
		r.revoke(0, "before", rescind.AckAll)
		r.revoke(1, "before too", rescind.AckAll)
		await(t, "the frontier of the other is stored", func() bool { return r.nodes[1].view.Load().durable == 1 })
		r.stop(1)
		cfg := r.cfgs[1]
		cfg.Gossip = &Gossip{Bind: "127.0.0.1:0", Join: []string{"127.0.0.1:1"}}
		n, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		await(t, "loaded", func() bool { return n.view.Load() != nil })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		receipt, err := n.Revoke(ctx, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}}, rescind.AckLocal)
		cancel()
		switch {
		case refuse && !errors.Is(err, rescind.ErrIsolated):
			t.Errorf("with RefuseIsolated: %v", err)
		case !refuse && (!errors.Is(err, rescind.ErrUnconfirmed) || receipt.Reason == ""):
			t.Errorf("%v, because %q; want an unconfirmed revocation and why", err, receipt.Reason)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		r.start(1)
		await(t, "ready", func() bool { return r.nodes[1].ready.Load() })
		r.revoke(1, "back", rescind.AckLocal)
		r.refused("back")
	}
}

// TestMajorityOfSeeds: what the seeds name is the least that a majority is of.
func TestMajorityOfSeeds(t *testing.T) {
	for _, c := range []struct {
		join []string
		want int
	}{
		{nil, 0}, {[]string{"a:1"}, 0}, {[]string{"a:1", "b:1"}, 1}, {[]string{"a:1", "a:1"}, 0},
		{[]string{"a:1", "b:1", "c:1"}, 1}, {[]string{"a:1", "b:1", "c:1", "d:1", "e:1"}, 2}, {[]string{"dns+a:1", "dns+b:1"}, 0},
	} {
		if got := (Config{Gossip: &Gossip{Join: c.join}}).majorityOfSeeds(); got != c.want {
			t.Errorf("%v: %d, want %d", c.join, got, c.want)
		}
	}
}
