package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rescind"
	"rescind/gossip"
	"rescind/gossip/carrier"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// memberlist's push/pull trigger sleeps for a random time before it
		// sees that it has been stopped.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).pushPullTrigger"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).triggerFunc"))
}

const (
	iss      = "https://issuer.example"
	deadline = 15 * time.Second
)

// rig starts nodes that know each other.
type rig struct {
	t     testing.TB
	dir   string
	nats  *carrier.Embedded // external to the nodes
	nodes []*Node
	cfgs  []Config
}

// newRig starts n nodes with the given carriers.
func newRig(t *testing.T, n int, gossip, nats bool) *rig {
	t.Helper()
	return newRigWith(t, n, gossip, nats, func(*Config) {})
}

// newRigWith is newRig with something else configured.
func newRigWith(t testing.TB, n int, gossip, nats bool, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	if nats {
		var err error
		if r.nats, err = carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: "127.0.0.1:0", Logger: quiet}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.nats.Shutdown() })
	}
	for i := range n {
		cfg := Config{Name: fmt.Sprint("n", i), DataDir: filepath.Join(r.dir, fmt.Sprint(i)), Logger: quiet}
		if gossip {
			cfg.Gossip = &Gossip{Bind: "127.0.0.1:0"}
		}
		if nats {
			cfg.NATS = &NATS{URL: r.nats.ClientURL()}
		}
		change(&cfg)
		r.cfgs = append(r.cfgs, cfg)
		r.nodes = append(r.nodes, nil)
		r.start(i)
	}
	for _, n := range r.nodes {
		await(t, "ready", func() bool { return n.ready.Load() })
	}
	for _, n := range r.nodes {
		await(t, "everybody known", func() bool { return n.Staleness().Known && len(n.Status().Members) == len(r.nodes)-1 })
	}
	return r
}

var quiet = slog.New(slog.DiscardHandler)

// start starts node i and lets it join those that run.
func (r *rig) start(i int) *Node {
	r.t.Helper()
	cfg := r.cfgs[i]
	if cfg.Gossip != nil {
		gossip := *cfg.Gossip
		for j, n := range r.nodes {
			if j != i && n != nil {
				gossip.Join = append(gossip.Join, n.GossipAddr())
			}
		}
		cfg.Gossip = &gossip
	}
	n, err := Start(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { n.Close() })
	r.nodes[i] = n
	return n
}

func (r *rig) stop(i int) {
	r.t.Helper()
	n := r.nodes[i]
	r.nodes[i] = nil
	if err := n.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

// await polls until ok, or fails the test.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(deadline)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", deadline, what)
		}
		<-poll.C
	}
}

// throughout calls check again and again for as long as d. It is for what must not
// happen: no event tells that something did not.
func throughout(t testing.TB, d time.Duration, check func()) {
	t.Helper()
	end := time.After(d)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		check()
		select {
		case <-poll.C:
		case <-end:
			return
		}
	}
}

func (r *rig) revoke(i int, id string, ack rescind.Ack) rescind.Receipt {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), deadline)
	defer cancel()
	receipt, err := r.nodes[i].Revoke(ctx, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: id}}, ack)
	if err != nil {
		r.t.Fatalf("revoke %s on node %d: %v", id, i, err)
	}
	return receipt
}

// refused waits until every running node refuses the token called id.
func (r *rig) refused(id string) {
	r.t.Helper()
	for i, n := range r.nodes {
		if n != nil {
			await(r.t, fmt.Sprintf("%s refused on node %d", id, i), func() bool { return n.Check(tokenOf(id)) == rescind.Revoked })
		}
	}
}

func tokenOf(id string) rescind.Token {
	return rescind.Token{Issuer: iss, ID: id, Subject: "u", IssuedAt: rescind.MillisOf(time.Now())}
}

func eachMode(t *testing.T, test func(t *testing.T, gossip, nats bool)) {
	for _, mode := range []struct {
		name         string
		gossip, nats bool
	}{{"memberlist+NATS", true, true}, {"memberlist", true, false}, {"NATS", false, true}} {
		t.Run(mode.name, func(t *testing.T) { test(t, mode.gossip, mode.nats) })
	}
}

func TestRevokedOnOneRefusedOnAll(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, gossip, nats bool) {
		r := newRig(t, 3, gossip, nats)
		for i := range r.nodes {
			id := fmt.Sprint("token-", i)
			receipt := r.revoke(i, id, rescind.AckAll)
			if len(receipt.Acknowledged) != 2 || len(receipt.Missing) != 0 || receipt.Window() <= 0 {
				t.Errorf("receipt %+v", receipt)
			}
			for j, n := range r.nodes {
				if v := n.Check(tokenOf(id)); v != rescind.Revoked {
					t.Errorf("node %d says %v of a token that all have acknowledged", j, v)
				}
				if v := n.Check(tokenOf("another")); v != rescind.Valid {
					t.Errorf("node %d says %v of a token that nobody revoked", j, v)
				}
			}
		}
	})
}

func TestKillAllAndRestart(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, gossip, nats bool) {
		r := newRig(t, 3, gossip, nats)
		for i := range 30 {
			r.revoke(i%3, fmt.Sprint("token-", i), rescind.AckLocal)
		}
		for i := range r.nodes {
			r.stop(i)
		}
		for i := range r.nodes {
			r.start(i)
		}
		for _, n := range r.nodes {
			await(t, "ready", func() bool { return n.ready.Load() })
		}
		for i := range 30 {
			r.refused(fmt.Sprint("token-", i))
		}
	})
}

// TestAbsentNodeCatchesUp: a node that was away for more than what others
// remember one by one gets the whole state, and says "unknown" until then.
func TestAbsentNodeCatchesUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, true, true)
	r.revoke(0, "before", rescind.AckAll)
	r.stop(2)
	const n = 40_000
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < n; i += 64 {
				key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: fmt.Sprint("meanwhile-", i)}
				if _, err := r.nodes[i%2].Revoke(t.Context(), rescind.Revocation{Key: key}, rescind.AckLocal); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	back := r.start(2)
	for end := time.Now().Add(4 * deadline); !back.ready.Load(); { // asking all along takes a processor from those it waits for
		if v := back.Check(tokenOf("nobody revoked this")); v == rescind.Valid && !back.ready.Load() {
			t.Fatal("answered valid before it was ready")
		}
		if time.Now().After(end) {
			t.Fatal("never ready")
		}
	}
	for i := range n {
		if v := back.Check(tokenOf(fmt.Sprint("meanwhile-", i))); v != rescind.Revoked {
			t.Fatalf("ready, and says %v of revocation %d", v, i)
		}
	}
}

// TestComparisonHealsWhatNumbersMiss: a record that one node holds and of which
// no stream tells reaches the other, counted as healed.
func TestComparisonHealsWhatNumbersMiss(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, true, false)
	holder := r.nodes[0]
	digest := holder.set.Digest(rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "skipped"})
	holder.set.Merge(rescind.Record{Digest: digest, IssuedBefore: rescind.Ever, ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour))})
	r.stop(1)
	back := r.start(1) // its first comparison begins at once
	await(t, "healed", func() bool { return back.Check(tokenOf("skipped")) == rescind.Revoked })
	await(t, "counted", func() bool { return back.Status().Counters.Healed > 0 })
	if s := back.Status(); s.Counters.Healed != 1 || s.Counters.StateRequests != 0 || s.Comparisons.Different == 0 {
		t.Errorf("healed %d by %+v, %d requests for the state", s.Counters.Healed, s.Comparisons, s.Counters.StateRequests)
	}
}

// TestNATSDiesInTheMiddle: with memberlist beside it nothing is lost, and its
// return is noticed.
func TestNATSDiesInTheMiddle(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, true, true)
	url := r.nats.ClientURL()
	r.revoke(0, "before", rescind.AckAll)
	r.nats.Shutdown()
	for i := range 50 {
		r.revoke(i%3, fmt.Sprint("during-", i), rescind.AckAll)
	}
	restartNATS(t, r, url[len("nats://"):])
	for _, n := range r.nodes {
		await(t, "reconnected to NATS", func() bool {
			for _, c := range n.Status().Carriers {
				if c.Name == "nats" && c.Connected {
					return true
				}
			}
			return false
		})
	}
	r.revoke(1, "after", rescind.AckAll)
	for i := range 50 {
		r.refused(fmt.Sprint("during-", i))
	}
}

// TestNATSAloneRepairs: what is revoked while NATS is away arrives when it is
// back.
func TestNATSAloneRepairs(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, false, true)
	url := r.nats.ClientURL()
	r.nats.Shutdown()
	for i := range 50 {
		r.revoke(i%3, fmt.Sprint("during-", i), rescind.AckLocal)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	receipt, err := r.nodes[0].Revoke(ctx, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: iss, ID: "u"}}, rescind.AckMajority)
	if !errors.Is(err, rescind.ErrUnconfirmed) || len(receipt.Missing) != 2 || receipt.Version == "" {
		t.Errorf("receipt %+v, %v; want two missing and ErrUnconfirmed", receipt, err)
	}
	restartNATS(t, r, url[len("nats://"):])
	for i := range 50 {
		r.refused(fmt.Sprint("during-", i))
	}
}

func TestLogoutEverywhereThenLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, true, false)
	old := tokenOf("old")
	receipt, err := r.nodes[0].Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: iss, ID: "u"}}, rescind.AckAll)
	if err != nil {
		t.Fatal(err)
	}
	fresh := old
	fresh.IssuedAt = receipt.IssuedBefore + 1
	for i, n := range r.nodes {
		if v := n.Check(old); v != rescind.Revoked {
			t.Errorf("node %d says %v of the old token", i, v)
		}
		if v := n.Check(fresh); v != rescind.Valid {
			t.Errorf("node %d says %v of the new token", i, v)
		}
	}
}

func TestFullNodeRefusesAndEvictsNothing(t *testing.T) {
	n := alone(t, func(c *Config) { c.MaxRevocations = 3 })
	for i := range 5 {
		_, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: fmt.Sprint(i)}}, rescind.AckDefault)
		if full := i >= 3; full != errors.Is(err, rescind.ErrFull) || !full && err != nil {
			t.Errorf("revocation %d: %v", i, err)
		}
	}
	for i := range 3 {
		if v := n.Check(tokenOf(fmt.Sprint(i))); v != rescind.Revoked {
			t.Errorf("revocation %d is gone: %v", i, v)
		}
	}
}

func alone(t *testing.T, change func(*Config)) *Node {
	t.Helper()
	cfg := Config{Name: "alone", DataDir: t.TempDir(), Logger: quiet}
	if change != nil {
		change(&cfg)
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func TestClosedNodeRefusesRevocations(t *testing.T) {
	n := alone(t, nil)
	if err := errors.Join(n.Close(), n.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "x"}}, rescind.AckLocal); !errors.Is(err, rescind.ErrClosed) {
		t.Errorf("revoke after close: %v", err)
	}
}

func TestKeylessNodeStaysOnLoopback(t *testing.T) {
	for _, c := range []Config{
		{Gossip: &Gossip{Bind: "0.0.0.0:0"}},
		{Gossip: &Gossip{Bind: "127.0.0.1:0", Join: []string{"10.0.0.1:7946"}}},
		{NATS: &NATS{URL: "nats://nats.example:4222"}},
		{NATS: &NATS{Embed: "0.0.0.0:4222"}},
	} {
		c.DataDir, c.Logger = t.TempDir(), quiet
		if n, err := Start(c); err == nil {
			n.Close()
			t.Errorf("started without a key: %+v %+v", c.Gossip, c.NATS)
		}
	}
}

// TestForeignMessagesAreIgnored: garbage, and good messages of another cluster
// or key, change nothing.
func TestForeignMessagesAreIgnored(t *testing.T) {
	n := alone(t, nil)
	other, err := carrier.NewSealer([32]byte{1}, "rescind")
	if err != nil {
		t.Fatal(err)
	}
	for i, msg := range [][]byte{nil, {0}, []byte("hello"), other.Seal([]byte("x")), make([]byte, 1<<20)} {
		n.receive("test", msg)
		if got := n.Status().Counters.Refused; got != uint64(i+1) {
			t.Errorf("message %d: %d refused", i, got)
		}
	}
	n.receive("test", n.sealer.Seal([]byte{1, 99, 0}))
	if got := n.Status().Counters.OtherVersion; got != 1 {
		t.Errorf("%d of another version, want 1", got)
	}
	await(t, "an operator is told of another version", func() bool {
		return Has(n.Status().Reasons, ReasonOtherVersion)
	})
	unknown := gossip.Message{From: 1, Epoch: 1, Body: &gossip.Leave{}}.Append(nil)
	unknown[1] = 99
	n.receive("test", n.sealer.Seal(unknown))
	if got := n.Status().Counters.Malformed; got != 1 {
		t.Errorf("%d malformed, want 1", got)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	n := alone(t, nil)
	tok := tokenOf("x")
	if a := testing.AllocsPerRun(1000, func() { n.Check(tok) }); a != 0 {
		t.Errorf("a check allocates %v times", a)
	}
}
