package cluster

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"rescind"
	"rescind/gossip/carrier"
	"rescind/internal/natstest"
)

// natsOf returns what node i says of its NATS carrier.
func (r *rig) natsOf(i int) carrier.Status {
	for _, c := range r.nodes[i].Status().Carriers {
		if c.Name == "nats" {
			return c
		}
	}
	r.t.Fatal("no NATS carrier")
	return carrier.Status{}
}

// burst revokes n tokens on node i at once and returns their names.
func (r *rig) burst(i, n int, prefix string) (ids []string) {
	r.t.Helper()
	var calls sync.WaitGroup
	for k := range n {
		id := fmt.Sprint(prefix, k)
		ids = append(ids, id)
		calls.Go(func() {
			key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: id}
			if _, err := r.nodes[i].Revoke(r.t.Context(), rescind.Revocation{Key: key}, rescind.AckLocal); err != nil {
				r.t.Errorf("revoke %s: %v", id, err)
			}
		})
	}
	calls.Wait()
	return ids
}

// newWiredRig is a rig over NATS alone in which node 1 reaches the server by a
// wire.
func newWiredRig(t testing.TB, n int, url string, change func(*Config)) (*rig, *natstest.Wire) {
	t.Helper()
	wire := natstest.NewWire(t, strings.TrimPrefix(url, "nats://"))
	return newRigWith(t, n, false, false, func(c *Config) {
		c.NATS = &NATS{URL: url}
		if c.Name == "n1" {
			c.NATS.URL = "nats://" + wire.Addr()
		}
		change(c)
	}), wire
}

// TestNATSPendingLimitOfOne: a subscriber that may let one message wait drops
// most of a burst. That is counted and repaired.
func TestNATSPendingLimitOfOne(t *testing.T) {
	r := newRigWith(t, 2, false, true, func(c *Config) {
		if c.Name == "n1" {
			c.NATS.maxPending = 1
		}
	})
	dropped := func() bool { return r.natsOf(1).Overrun > 0 }
	var ids []string
	for round := 0; !dropped(); round++ {
		if round == 100 {
			t.Fatal("nothing was dropped")
		}
		ids = append(ids, r.burst(0, 500, fmt.Sprint("b", round, "-"))...)
	}
	for _, id := range ids {
		r.refused(id)
	}
	if s := r.natsOf(1); !s.Connected {
		t.Errorf("after the drops: %+v", s)
	}
}

// TestNATSWriteDeadline: the server cuts a subscriber that does not read. What it
// was not sent is repaired.
func TestNATSWriteDeadline(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, WriteDeadline: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(deadline) {
		t.Fatal("the server did not start")
	}
	r, wire := newWiredRig(t, 3, s.ClientURL(), func(*Config) {})
	noise, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer noise.Close()

	wire.Clog(true)
	subject, block := "rescind.rescind.all", make([]byte, 256<<10)
	await(t, "the server cuts it", func() bool {
		if err := noise.Publish(subject, block); err != nil {
			t.Fatal(err)
		}
		return s.NumSlowConsumers() > 0
	})
	ids := r.burst(0, 100, "after-the-cut-")
	if r.nodes[1].Check(tokenOf(ids[99])) == rescind.Revoked {
		t.Error("the clogged node has heard of it: nothing was lost")
	}
	wire.Clog(false)
	for _, id := range ids {
		r.refused(id)
	}
	if s := r.natsOf(1); s.Reconnects == 0 {
		t.Errorf("it was not cut: %+v", s)
	}
}

// TestNATSBlackHole: a link that swallows everything and resets nothing is
// noticed by pings within seconds; what the node says of its staleness was true
// all along; and it catches up when it is led elsewhere.
func TestNATSBlackHole(t *testing.T) {
	t.Parallel()
	embedded, err := carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: "127.0.0.1:0", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.Shutdown() })
	r, wire := newWiredRig(t, 3, embedded.ClientURL(), func(*Config) {})
	wire.Swallow(true)
	began := time.Now()
	ids := r.burst(0, 20, "unheard-")
	acked := time.Now()
	await(t, "the node notices", func() bool {
		ago := time.Since(acked) // before the claim, and the check after it: neither helps the other
		if s := r.nodes[1].Staleness(); s.Known && s.Bound < ago && r.nodes[1].Check(tokenOf(ids[0])) != rescind.Revoked {
			t.Errorf("it claims to be at most %v behind and lacks what was acknowledged %v before", s.Bound, ago)
		}
		return !r.natsOf(1).Connected
	})
	t.Logf("noticed after %v", time.Since(began))
	wire.Swallow(false)
	for _, id := range ids {
		r.refused(id)
	}
}
