package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rescind"
	"rescind/filter"
	"rescind/gossip/carrier"
	"rescind/internal/store"
)

// logRig is a NATS server at one address for all its lives, and nodes without
// disks.
type logRig struct {
	*rig
	dir, listen string
}

func newLogRig(t *testing.T, n int, change func(*Config)) *logRig {
	t.Helper()
	r := &logRig{rig: &rig{t: t}, dir: t.TempDir(), listen: "127.0.0.1:0"}
	r.serve()
	t.Cleanup(func() { r.nats.Shutdown() })
	for i := range n {
		cfg := Config{
			Name: fmt.Sprint("n", i), Logger: quiet,
			Gossip:    &Gossip{Bind: "127.0.0.1:0"},
			NATS:      &NATS{URL: r.nats.ClientURL()},
			SharedLog: &SharedLog{MaxBytes: 64 << 20},
		}
		change(&cfg)
		r.cfgs, r.nodes = append(r.cfgs, cfg), append(r.nodes, nil)
	}
	r.startAll()
	return r
}

// serve starts the server, again with what it had.
func (r *logRig) serve() {
	r.t.Helper()
	var err error
	r.nats, err = carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: r.listen, StoreDir: r.dir, Logger: quiet})
	if err != nil {
		r.t.Fatal(err)
	}
	u, err := url.Parse(r.nats.ClientURL())
	if err != nil {
		r.t.Fatal(err)
	}
	r.listen = u.Host
}

func (r *logRig) startAll() {
	r.t.Helper()
	for i := range r.nodes {
		r.start(i)
	}
	for _, n := range r.nodes {
		await(r.t, "ready", func() bool { return n.ready.Load() })
	}
}

// kill ends a node without a word: what it still says nobody understands.
func (r *logRig) kill(i int) {
	r.t.Helper()
	var nobodys [32]byte
	rand.Read(nobodys[:])
	n := r.nodes[i]
	r.nodes[i] = nil
	if err := n.sealer.Set([][32]byte{nobodys}); err != nil {
		r.t.Fatal(err)
	}
	n.stop()
	n.running.Wait()
	n.Close()
}

// TestAllNodesGone: what was acknowledged by nodes without disks is known to new
// ones after all of them are gone at once, and those answer nothing before they
// have read it.
func TestAllNodesGone(t *testing.T) {
	t.Parallel()
	r := newLogRig(t, 3, func(*Config) {})
	var ids []string
	for i := range 60 {
		id := fmt.Sprint("token", i)
		r.revoke(i%3, id, rescind.AckLocal)
		ids = append(ids, id)
	}
	before := map[string]bool{}
	for _, n := range r.nodes {
		before[n.Status().Origin] = true
	}
	for i := range r.nodes {
		r.kill(i)
	}
	r.nats.Shutdown()
	for i := range r.nodes {
		r.start(i)
	}
	for i, n := range r.nodes {
		await(t, "a reason", func() bool {
			return strings.Contains(strings.Join(Words(n.Status().Reasons), " "), "waiting for the stream")
		})
		if v := n.Check(rescind.Token{Issuer: iss, ID: ids[0]}); v != rescind.Unknown || n.Status().Ready {
			t.Errorf("node %d answers %v before it has read the stream", i, v)
		}
		if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "early"}}, rescind.AckLocal); !errors.Is(err, rescind.ErrNotReady) {
			t.Errorf("node %d revokes before it has read the stream: %v", i, err)
		}
	}
	r.serve()
	for i, n := range r.nodes {
		await(t, "ready", func() bool { return n.ready.Load() })
		for _, id := range ids {
			if v := n.Check(rescind.Token{Issuer: iss, ID: id}); v != rescind.Revoked {
				t.Errorf("node %d: %s is %v", i, id, v)
			}
		}
		s := n.Status()
		if before[s.Origin] || s.Total != len(ids) {
			t.Errorf("node %d: origin %s, as before: %v; %d revocations", i, s.Origin, before[s.Origin], s.Total)
		}
		await(t, "two members and a bound", func() bool { return n.Staleness().Known && len(n.Status().Members) == 2 })
	}
	r.revoke(0, "afterwards", rescind.AckAll)
	r.refused("afterwards")
}

// TestOneCopyInTheLog: a revocation that three nodes acknowledge is in the stream
// once.
func TestOneCopyInTheLog(t *testing.T) {
	t.Parallel()
	r := newLogRig(t, 3, func(*Config) {})
	ghost := r.ghost()
	copies := func(prefix string) (n int) {
		for i := range 60 {
			r.revoke(i%3, fmt.Sprint(prefix, i), rescind.AckAll)
		}
		digests := map[rescind.Digest]bool{}
		for i := range 60 {
			digests[ghost.set.Digest(rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: fmt.Sprint(prefix, i)})] = true
		}
		if _, err := ghost.store.Load(t.Context(), 0, func(rec rescind.Record) {
			if digests[rec.Digest] {
				n++
			}
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	// Before they have read each other's marks, they can't know who writes.
	turn := 0
	await(t, "one copy of each", func() bool { turn++; return copies(fmt.Sprint("first", turn)) == 60 })
	if n := copies("token"); n != 60 {
		t.Errorf("%d copies of 60 revocations", n)
	}
}

// ghost is a node that writes into the log and tells nobody.
func (r *logRig) ghost() *Node {
	r.t.Helper()
	cfg, err := r.cfgs[0].withDefaults()
	if err != nil {
		r.t.Fatal(err)
	}
	n := &Node{cfg: cfg, log: quiet, set: filter.New(filter.Options{Key: digestKeyOf(cfg.secret(), "rescind"), Max: 1000})}
	if err := n.openStore(r.keyCheck()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { n.store.Close() })
	return n
}

// keyCheck is what all nodes of the rig have.
func (r *logRig) keyCheck() [16]byte { return keyCheckOf(digestKeyOf(r.cfgs[0].secret(), "rescind")) }

// TestLogReachesWhomGossipDoesNot: what a node has written before it died without
// a word is in force on those that run, and it does not count among them.
func TestLogReachesWhomGossipDoesNot(t *testing.T) {
	t.Parallel()
	r := newLogRig(t, 2, func(*Config) {})
	ghost := r.ghost()
	if _, err := ghost.store.Load(t.Context(), 0, func(rescind.Record) {}); err != nil {
		t.Fatal(err)
	}
	key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "last words"}
	rec := rescind.Record{Digest: r.nodes[0].set.Digest(key), IssuedBefore: rescind.Ever, ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour))}
	if err := ghost.store.Commit(t.Context(), store.Batch{Records: []rescind.Record{rec}, Own: 1}); err != nil {
		t.Fatal(err)
	}
	ghost.store.Close()
	r.refused("last words")
	for _, n := range r.nodes {
		await(t, "a bound", func() bool { return n.Staleness().Known })
		if len(n.Status().Members) != 1 {
			t.Errorf("members %+v", n.Status().Members)
		}
	}
}

// TestStreamGoneForAWhile: without the servers nothing is acknowledged and checks
// go on; what was not acknowledged is kept once they are back.
func TestStreamGoneForAWhile(t *testing.T) {
	t.Parallel()
	r := newLogRig(t, 2, func(*Config) {})
	r.revoke(0, "before", rescind.AckAll)
	r.nats.Shutdown()
	revoke := func(id string) error {
		_, err := r.nodes[0].Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: id}}, rescind.AckLocal)
		return err
	}
	for _, id := range []string{"meanwhile", "at once"} {
		if err := revoke(id); !errors.Is(err, rescind.ErrUnavailable) {
			t.Errorf("revoke without a server: %v", err)
		}
	}
	r.refused("meanwhile") // by gossip
	r.refused("before")
	for _, n := range r.nodes {
		if v := n.Check(rescind.Token{Issuer: iss, ID: "another"}); v != rescind.Valid {
			t.Errorf("a check without a server: %v", v)
		}
	}
	await(t, "a reason", func() bool {
		return Has(r.nodes[0].Status().Reasons, ReasonStoreAway)
	})
	r.serve()
	await(t, "revocations again", func() bool { return revoke("after") == nil })
	for i := range r.nodes {
		r.kill(i)
	}
	r.startAll()
	for _, id := range []string{"before", "meanwhile", "at once", "after"} {
		r.refused(id)
	}
}

// TestStreamOfAnotherCluster: a node with another key fails, and does not serve
// from an empty set.
func TestStreamOfAnotherCluster(t *testing.T) {
	r := newLogRig(t, 1, func(c *Config) { c.JoinTimeout = time.Millisecond })
	r.revoke(0, "x", rescind.AckLocal)
	r.kill(0)
	r.cfgs[0].Key = make([]byte, 32)
	n := r.start(0)
	<-n.Failed()
	if !errors.Is(n.Err(), store.ErrOtherCluster) || n.Status().Ready {
		t.Errorf("%v, ready: %v", n.Err(), n.Status().Ready)
	}
}

func TestSharedLogSettings(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no NATS":        {SharedLog: &SharedLog{}},
		"each its own":   {SharedLog: &SharedLog{}, DataDir: "x", Gossip: &Gossip{Bind: "127.0.0.1:0"}, NATS: &NATS{Embed: "127.0.0.1:0"}},
		"replicas":       {SharedLog: &SharedLog{Replicas: 2}, NATS: &NATS{URL: "nats://127.0.0.1:1"}},
		"no folder":      {SharedLog: &SharedLog{}, NATS: &NATS{Embed: "127.0.0.1:0"}},
		"name of stream": {SharedLog: &SharedLog{Stream: "a b"}, NATS: &NATS{URL: "nats://127.0.0.1:1"}},
	} {
		cfg.Logger = quiet
		if n, err := Start(cfg); err == nil {
			n.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAloneWithTheLog: a node that hears nobody is ready, also under reject, once
// it has read the stream, and states a bound that the stream alone proves.
func TestAloneWithTheLog(t *testing.T) {
	t.Parallel()
	r := newLogRig(t, 2, func(c *Config) { c.RejectStale = true })
	r.revoke(0, "before", rescind.AckAll)
	for i := range r.nodes {
		r.kill(i)
	}
	r.nodes, r.cfgs = r.nodes[:1], r.cfgs[:1]
	r.cfgs[0].JoinTimeout = time.Hour // no time-out makes it ready
	n := r.start(0)
	await(t, "ready", func() bool { return n.ready.Load() })
	r.refused("before")
	if v := n.Check(rescind.Token{Issuer: iss, ID: "another"}); v != rescind.Valid {
		t.Errorf("a check of a node that is alone: %v", v)
	}
	s := n.Staleness()
	if !s.Known || s.Bound == 0 || s.Bound > 30*time.Second {
		t.Errorf("staleness %+v", s)
	}
	r.revoke(0, "after", rescind.AckAll)
	r.refused("after")

	r.nats.Shutdown() // now nothing proves what others acknowledge
	await(t, "a growing bound", func() bool { s := n.Staleness(); return !s.Known || s.Bound > 12*time.Second })
	if v := n.Check(rescind.Token{Issuer: iss, ID: "another"}); v != rescind.Stale {
		t.Errorf("a check without the stream for so long: %v", v)
	}
	r.serve()
	await(t, "a small bound", func() bool { s := n.Staleness(); return s.Known && s.Bound < 10*time.Second })
}

// TestRestartBesideAPeerAfterAPurge: the stream is purged under two nodes, and one
// of them is started again at once. It is not ready before it knows everything.
func TestRestartBesideAPeerAfterAPurge(t *testing.T) {
	t.Parallel()
	r := newLogRig(t, 2, func(*Config) {})
	var ids []string
	for i := range 20 {
		id := fmt.Sprint("token", i)
		r.revoke(i%2, id, rescind.AckAll)
		ids = append(ids, id)
	}
	r.kill(1)
	purge(t, r.nats.ClientURL())
	n := r.start(1)
	await(t, "ready", func() bool { return n.ready.Load() })
	for _, id := range ids {
		if v := n.Check(rescind.Token{Issuer: iss, ID: id}); v != rescind.Revoked {
			t.Errorf("%s is %v on a node that says it is ready", id, v)
		}
	}
	await(t, "written back", func() bool {
		s := r.nodes[0].Status()
		return s.Store.Losses > 0 && !Has(s.Reasons, ReasonStoreLost)
	})
	for i := range r.nodes {
		r.kill(i)
	}
	r.startAll()
	for _, id := range ids {
		r.refused(id)
	}
}

// purge empties the log's stream, as an operator may.
func purge(t *testing.T, url string) {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "rescind-log-rescind")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
}
