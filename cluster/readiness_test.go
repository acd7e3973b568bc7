package cluster

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/gossip/carrier"
)

// usedFolder returns a folder with which a node was ready once.
func usedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	n, err := Open(t.Context(), Config{Name: "before", DataDir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "before"}}, rescind.AckLocal); err != nil {
		t.Fatal(err)
	}
	await(t, "the folder is complete", func() bool { return n.view.Load().durable == 1 })
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestNobodyReached: what a node that reaches no peer does depends on its folder,
// on what its seeds say, on the operator's word and on checks.on-stale; never on
// how long it has waited alone.
func TestNobodyReached(t *testing.T) {
	t.Parallel()
	silent := silentSeed(t)
	for name, c := range map[string]struct {
		change func(*Config)
		used   bool
		ready  bool
		known  bool
		reason string // how the first one begins
	}{
		"empty, a seed refuses":             {seeds("127.0.0.1:1"), false, false, false, "no peer reached, and this node's folder is empty"},
		"empty, a seed does not answer":     {seeds(silent), false, false, false, "no peer reached, and this node's folder is empty"},
		"empty, reject":                     {both(seeds("127.0.0.1:1"), reject), false, false, false, "no peer reached, and this node's folder is empty"},
		"empty, no seeds":                   {seeds(), false, true, true, ""},
		"empty, no seeds, reject":           {both(seeds(), reject), false, true, true, ""},
		"empty, by the operator's word":     {both(seeds("127.0.0.1:1"), bootstrap), false, true, true, ""},
		"used, a seed refuses":              {seeds("127.0.0.1:1"), true, true, false, "no peer reached; this node knows only its own disk, its"},
		"used, a seed refuses, reject":      {both(seeds("127.0.0.1:1"), reject), true, false, false, "no peer reached; this node knows only its own disk, and"},
		"used, alone before, no seeds":      {both(seeds(), reject), true, true, true, ""},
		"empty, NATS that can't be reached": {func(c *Config) { c.NATS = &NATS{URL: "nats://127.0.0.1:1"} }, false, false, false, "no peer reached, and this node's folder is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Name: "lonely", DataDir: t.TempDir(), Logger: quiet, JoinTimeout: 300 * time.Millisecond}
			if c.used {
				cfg.DataDir = usedFolder(t)
			}
			c.change(&cfg)
			n, err := Start(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { n.Close() })
			decided := func() bool {
				s := n.Status()
				return s.Ready || len(s.Reasons) > 0 && strings.HasPrefix(s.Reasons[0].Text, "no peer reached")
			}
			await(t, "it has decided", decided)
			await(t, "it knows its staleness", func() bool { return n.Staleness().Known == c.known })
			s := n.Status()
			if s.Ready != c.ready || c.reason == "" && len(s.Reasons) > 0 || c.reason != "" && !strings.HasPrefix(s.Reasons[0].Text, c.reason) {
				t.Errorf("ready: %v, reasons: %q", s.Ready, s.Reasons)
			}
			want := rescind.Unknown
			if c.ready {
				want = rescind.Valid
			}
			if got := n.Check(tokenOf("x")); got != want {
				t.Errorf("check: %v, want %v", got, want)
			}
		})
	}
}

func seeds(join ...string) func(*Config) {
	return func(c *Config) { c.Gossip = &Gossip{Bind: "127.0.0.1:0", Join: join} }
}

func reject(c *Config)    { c.RejectStale = true }
func bootstrap(c *Config) { c.Bootstrap = true }

func both(a, b func(*Config)) func(*Config) { return func(c *Config) { a(c); b(c) } }

// silentSeed returns an address that takes connections and says nothing.
func silentSeed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// TestSeedThatIsOneself: where every seed is this node, nobody else is there.
func TestSeedThatIsOneself(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	n, err := Start(Config{
		Name: "self", DataDir: t.TempDir(), Logger: quiet, JoinTimeout: 300 * time.Millisecond, RejectStale: true,
		Gossip: &Gossip{Bind: addr, Join: []string{addr, "dns+localhost:" + addr[strings.LastIndexByte(addr, ':')+1:]}},
	})
	if err != nil {
		t.Skip("the port was taken meanwhile:", err)
	}
	t.Cleanup(func() { n.Close() })
	await(t, "ready", n.ready.Load)
	if v := n.Check(tokenOf("x")); v != rescind.Valid {
		t.Errorf("check: %v", v)
	}
}

// TestFirstByNATS: a server that is connected, and by which nobody is heard, says
// that nobody is there.
func TestFirstByNATS(t *testing.T) {
	t.Parallel()
	server, err := carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: "127.0.0.1:0", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Shutdown() })
	n, err := Start(Config{Name: "first", DataDir: t.TempDir(), Logger: quiet, JoinTimeout: 300 * time.Millisecond, NATS: &NATS{URL: server.ClientURL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	await(t, "ready", n.ready.Load)
}

// TestKeyThatDoesNotFit: a node with an empty folder and another key is never ready
// by time-out, not even by the operator's word; it says why, and both sides count
// it, whatever the carrier.
func TestKeyThatDoesNotFit(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{1}, 32)
	eachMode(t, func(t *testing.T, gossip, nats bool) {
		r := newRigWith(t, 2, gossip, nats, func(c *Config) { c.Key = key })
		r.revoke(0, "x", rescind.AckAll)
		cfg := r.cfgs[0]
		cfg.Name, cfg.DataDir, cfg.Key = "stranger", t.TempDir(), bytes.Repeat([]byte{2}, 32)
		cfg.JoinTimeout, cfg.Bootstrap = 300*time.Millisecond, true
		if gossip {
			cfg.Gossip = &Gossip{Bind: "127.0.0.1:0", Join: []string{r.nodes[0].GossipAddr()}}
		}
		n, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		const want = "somebody is there whose key does not fit"
		await(t, want, func() bool {
			s := n.Status()
			return len(s.Reasons) > 0 && strings.HasPrefix(s.Reasons[0].Text, want)
		})
		await(t, "counted on both sides", func() bool {
			return n.Status().Counters.Refused > 0 && r.nodes[0].Status().Counters.Refused > 0
		})
		await(t, "the join timeout is over", func() bool { return steady()-n.started > 2*cfg.JoinTimeout })
		if v := n.Check(tokenOf("x")); v == rescind.Valid || n.Status().Ready {
			t.Errorf("%v for a revoked token, ready: %v", v, n.Status().Ready)
		}
	})
}

// TestPeerMetIsNotAlone: a node that has met a peer stays not ready when that peer
// is gone before it has told all, however long that lasts, and becomes ready when
// it is back.
func TestPeerMetIsNotAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, true, false)
	for i := range 50 {
		r.revoke(0, fmt.Sprint(i), rescind.AckLocal)
	}
	cfg := Config{
		Name: "new", DataDir: t.TempDir(), Logger: quiet, JoinTimeout: 300 * time.Millisecond,
		Gossip: &Gossip{Bind: "127.0.0.1:0", Join: []string{r.nodes[0].GossipAddr()}},
	}
	n, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	await(t, "a peer is met", func() bool { v := n.view.Load(); return n.ready.Load() || v != nil && v.met })
	r.nodes[0].Close() // perhaps before the transfer, perhaps after it
	await(t, "the join timeout is over", func() bool { return steady()-n.started > 4*cfg.JoinTimeout })
	for i := range 50 {
		if v := n.Check(tokenOf(fmt.Sprint(i))); v == rescind.Valid {
			t.Fatalf("revoked token %d: %v; reasons %q", i, v, n.Status().Reasons)
		}
	}
}
