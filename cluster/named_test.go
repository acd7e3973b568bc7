package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rescind"
)

var threeNames = []string{"n0", "n1", "n2"}

// named makes a rig of three named members that refuse checks while they may be more
// than two seconds behind a majority.
func named(t *testing.T, gossip, nats bool) *rig {
	return newRigWith(t, 3, gossip, nats, func(c *Config) {
		c.Members, c.RejectStale, c.MaxStaleness = threeNames, true, 2*time.Second
	})
}

// always reports the first look at which a check is not answered as wanted, within d.
func always(t *testing.T, d time.Duration, want rescind.Verdict, nodes ...*Node) {
	t.Helper()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for began := time.Now(); time.Since(began) < d; <-poll.C {
		for _, n := range nodes {
			if v := n.Check(tokenOf("live")); v != want {
				t.Fatalf("after %v %s answers %v; want %v; %v", time.Since(began), n.cfg.Name, v, want, n.Status().Reasons)
			}
		}
	}
}

// TestNamedMajority: of three, one may be gone and nobody notices; with two gone the
// last refuses checks, confirms nothing and goes on refusing what it knows; when one
// is back, all is well.
func TestNamedMajority(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, gossip, nats bool) {
		r := named(t, gossip, nats)
		if receipt := r.revoke(0, "a", rescind.AckDefault); len(receipt.Acknowledged) == 0 {
			t.Errorf("a receipt of nobody: %+v", receipt)
		}
		if receipt := r.revoke(1, "all", rescind.AckAll); len(receipt.Missing) != 0 || len(receipt.Acknowledged) != 2 {
			t.Errorf("ack=all: %+v", receipt)
		}
		r.stop(2)
		always(t, 3*time.Second, rescind.Valid, r.nodes[0], r.nodes[1])
		if receipt := r.revoke(1, "b", rescind.AckMajority); !slices.Equal(receipt.Missing, []string{"n2"}) {
			t.Errorf("missing are %v; want n2", receipt.Missing)
		}
		if q := r.nodes[0].Status().Quorum; q.Reached != 2 || q.Need != 2 || q.Size != 3 || !slices.Equal(q.Missing, []string{"n2"}) {
			t.Errorf("quorum %+v", q)
		}

		r.stop(1)
		began := time.Now()
		await(t, "the last refuses checks", func() bool { return r.nodes[0].Check(tokenOf("live")) == rescind.Stale })
		if d := time.Since(began); d > 4*time.Second {
			t.Errorf("it took %v", d)
		}
		if v := r.nodes[0].Check(tokenOf("b")); v != rescind.Revoked {
			t.Errorf("what it knows to be revoked is %v", v)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "c"}
		if _, err := r.nodes[0].Revoke(ctx, rescind.Revocation{Key: key}, rescind.AckMajority); !errors.Is(err, rescind.ErrUnconfirmed) {
			t.Errorf("a majority of one: %v", err)
		}

		r.start(1)
		began = time.Now()
		for _, i := range []int{0, 1} {
			await(t, "all is well", func() bool { return r.nodes[i].Check(tokenOf("live")) == rescind.Valid })
		}
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("it took %v", d)
		}
		r.refused("c")
	})
}

// TestNamedRestartOfAll: members that were all stopped come up by themselves.
func TestNamedRestartOfAll(t *testing.T) {
	t.Parallel()
	r := named(t, true, false)
	r.revoke(0, "a", rescind.AckMajority)
	for i := range r.nodes {
		r.stop(i)
	}
	for i := range r.nodes {
		r.start(i)
	}
	for _, n := range r.nodes {
		await(t, "ready", func() bool { return n.Check(tokenOf("live")) == rescind.Valid })
	}
	r.refused("a")
}

// TestNamedFolderLost: a member with an empty folder counts for nothing until both
// others have told it what they hold, and no time-out makes it ready.
func TestNamedFolderLost(t *testing.T) {
	t.Parallel()
	r := named(t, false, true)
	r.revoke(0, "a", rescind.AckAll)
	for i := range r.nodes {
		r.stop(i)
	}
	if err := os.RemoveAll(r.cfgs[2].DataDir); err != nil {
		t.Fatal(err)
	}
	r.cfgs[2].JoinTimeout = 100 * time.Millisecond
	r.start(2)
	r.start(0)
	await(t, "the empty folder waits for both others", func() bool {
		return slices.ContainsFunc(r.nodes[2].Status().Reasons, func(r Reason) bool {
			return r.Kind == ReasonNoMajority && strings.Contains(r.Text, "accept-loss")
		})
	})
	always(t, time.Second, rescind.Unknown, r.nodes[2])
	if q := r.nodes[0].Status().Quorum; q.Reached > 1 {
		t.Errorf("it is counted: %+v", q)
	}
	r.start(1)
	for _, n := range r.nodes {
		await(t, "ready", func() bool { return n.Check(tokenOf("live")) == rescind.Valid })
	}
	r.refused("a")
	if q := r.nodes[2].Status().Quorum; !q.Whole {
		t.Errorf("quorum %+v", q)
	}
}

// TestNamedAcceptLoss: with two of three folders lost nothing moves until an
// administrator says so on one of them, and then what the third holds is there.
func TestNamedAcceptLoss(t *testing.T) {
	t.Parallel()
	r := named(t, true, false)
	r.revoke(0, "a", rescind.AckLocal)
	r.refused("a")
	for i := range r.nodes {
		r.stop(i)
	}
	for _, i := range []int{1, 2} {
		if err := os.RemoveAll(r.cfgs[i].DataDir); err != nil {
			t.Fatal(err)
		}
	}
	for i := range r.nodes {
		r.start(i)
	}
	always(t, 2*time.Second, rescind.Unknown, r.nodes[1], r.nodes[2])
	if err := r.nodes[0].AcceptLoss(t.Context()); err == nil {
		t.Error("a member that counts accepts a loss")
	}
	if err := r.nodes[1].AcceptLoss(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range r.nodes {
		await(t, "ready", func() bool { return n.Check(tokenOf("live")) == rescind.Valid })
	}
	r.refused("a")
}

// TestNotNamed: a node without the list is told who the members are, and that it
// should follow them; its own time-outs make it no more ready.
func TestNotNamed(t *testing.T) {
	t.Parallel()
	r := named(t, true, false)
	cfg := Config{
		Name: "n3", DataDir: t.TempDir(), Logger: quiet, JoinTimeout: 200 * time.Millisecond,
		Gossip: &Gossip{Bind: "127.0.0.1:0", Join: []string{r.nodes[0].GossipAddr()}},
	}
	n, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	await(t, "it is told", func() bool {
		st := n.Status()
		return Has(st.Reasons, ReasonNotNamed) && strings.Contains(fmt.Sprint(st.Reasons), "cluster.follow")
	})
	always(t, time.Second, rescind.Unknown, n)
	await(t, "the members say that it is not counted", func() bool {
		return strings.Contains(fmt.Sprint(r.nodes[0].Status().Reasons), `"n3"`)
	})
	if st := r.nodes[0].Status(); len(st.Members) != 2 || !st.Staleness.Known {
		t.Errorf("%d members, staleness %v", len(st.Members), st.Staleness)
	}
}

// TestOpenClusterGetsNames: a cluster whose members were whoever was heard is
// restarted with a list, one node after the other, and loses nothing.
func TestOpenClusterGetsNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, true, true)
	for i := range r.nodes {
		r.revoke(i, fmt.Sprint("a", i), rescind.AckAll)
	}
	for i := range r.nodes {
		r.stop(i)
		r.cfgs[i].Members = threeNames
		r.start(i)
	}
	for _, n := range r.nodes {
		await(t, "ready", func() bool { return n.Check(tokenOf("live")) == rescind.Valid && n.Status().Quorum.Whole })
	}
	for i := range r.nodes {
		r.refused(fmt.Sprint("a", i))
	}
}

// TestNamedListGrowsAndShrinks: a name is added and removed again by restarts with
// the new list, one node after the other.
func TestNamedListGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, 3, false, true, func(c *Config) { c.Members = threeNames })
	r.revoke(0, "a", rescind.AckAll)
	cfg := r.cfgs[0]
	cfg.Name, cfg.DataDir = "n3", t.TempDir()
	r.cfgs, r.nodes = append(r.cfgs, cfg), append(r.nodes, nil)
	change := func(names []string, nodes ...int) {
		t.Helper()
		for _, i := range nodes {
			r.cfgs[i].Members = names
			if r.nodes[i] != nil {
				r.stop(i)
			}
			r.start(i)
			await(t, fmt.Sprintf("n%d ready with %v", i, names), func() bool { return r.nodes[i].Check(tokenOf("live")) == rescind.Valid })
		}
		for _, i := range nodes {
			await(t, "the list is in force", func() bool {
				q := r.nodes[i].Status().Quorum
				return slices.Equal(q.Names, names) && q.Before == nil && len(q.Missing) == 0
			})
		}
	}
	change(append(slices.Clone(threeNames), "n3"), 0, 1, 2, 3)
	r.revoke(3, "b", rescind.AckAll)
	r.refused("a")
	r.refused("b")
	r.stop(3)
	change(threeNames, 0, 1, 2)
	if receipt := r.revoke(1, "c", rescind.AckAll); len(receipt.Acknowledged) != 2 {
		t.Errorf("receipt %+v", receipt)
	}
}

func TestMembersConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"two names":       {func(c *Config) { c.Members = []string{"a", "b"} }, "3 to 9"},
		"ten names":       {func(c *Config) { c.Members = strings.Split("a,b,c,d,e,f,g,h,i,j", ",") }, "3 to 9"},
		"twice":           {func(c *Config) { c.Members = []string{"a", "b", "a"} }, "twice"},
		"not this one":    {func(c *Config) { c.Members = []string{"b", "c", "d"} }, "cluster.follow"},
		"an empty name":   {func(c *Config) { c.Members = []string{"a", "", "b"} }, "0 bytes"},
		"a shared log":    {func(c *Config) { c.SharedLog, c.NATS = &SharedLog{}, &NATS{Embed: "127.0.0.1:0"} }, "SharedLog"},
		"refuse isolated": {func(c *Config) { c.RefuseIsolated = true }, "RefuseIsolated"},
		"no transport":    {func(c *Config) { c.Gossip = nil }, "neither Gossip nor NATS"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Name: "a", DataDir: t.TempDir(), Gossip: &Gossip{Bind: "127.0.0.1:0"}, Members: []string{"a", "b", "c"}}
			c.change(&cfg)
			if _, err := cfg.withDefaults(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; want one that says %q", err, c.want)
			}
		})
	}
}

// TestNamedAlone: one name is a majority by itself.
func TestNamedAlone(t *testing.T) {
	t.Parallel()
	n := alone(t, func(c *Config) { c.Name, c.Members = "a", []string{"a"} })
	await(t, "ready", func() bool { return n.Check(tokenOf("live")) == rescind.Valid })
	key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}
	for _, ack := range []rescind.Ack{rescind.AckDefault, rescind.AckAll} {
		if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: key}, ack); err != nil {
			t.Error(err)
		}
	}
}
