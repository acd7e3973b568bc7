package carrier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// memberlist's triggers sleep for a random time before they see that
		// they have been stopped.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).pushPullTrigger"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).triggerFunc"))
}

var quiet = slog.New(slog.DiscardHandler)

// carrier is what both have in common.
type carrier interface {
	Name() string
	Broadcast([]byte)
	Send(Node, []byte) bool
	Status() Status
	Close(context.Context) error
}

// inbox collects what a handler gets.
type inbox struct {
	mu   sync.Mutex
	msgs [][]byte
}

func (i *inbox) handle(_ string, msg []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.msgs = append(i.msgs, msg)
}

func (i *inbox) has(msg []byte) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, m := range i.msgs {
		if bytes.Equal(m, msg) {
			return true
		}
	}
	return false
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(15 * time.Second)
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
		<-poll.C
	}
}

func closing(t *testing.T, c carrier) {
	t.Cleanup(func() {
		if err := errors.Join(c.Close(context.Background()), c.Close(context.Background())); err != nil {
			t.Errorf("close %s: %v", c.Name(), err)
		}
	})
}

var testKey = bytes.Repeat([]byte{7}, 32)

func gossip(t *testing.T, name string, change func(*MemberlistConfig), join ...string) (*Memberlist, *inbox) {
	t.Helper()
	in := &inbox{}
	cfg := MemberlistConfig{
		Cluster: "test", Name: name, Node: Node(len(name)*1000 + int(name[len(name)-1])),
		Bind: "127.0.0.1:0", Join: join, Key: testKey, Handler: in.handle, Logger: quiet,
	}
	if change != nil {
		change(&cfg)
	}
	m, err := NewMemberlist(cfg)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, m)
	return m, in
}

// exchange sends small and large messages both ways, to all and to one.
func exchange(t *testing.T, a, b carrier, toB Node, inA, inB *inbox) {
	t.Helper()
	for _, size := range []int{1, maxDatagram, maxDatagram + 1, 300_000} {
		all, one, back := fmt.Appendf(nil, "all %*d", size, size), fmt.Appendf(nil, "one %*d", size, size), fmt.Appendf(nil, "back %*d", size, size)
		await(t, "send to one", func() bool { return a.Send(toB, one) })
		a.Broadcast(all)
		b.Broadcast(back)
		await(t, fmt.Sprintf("%d bytes by %s", size, a.Name()), func() bool { return inB.has(all) && inB.has(one) && inA.has(back) })
		if inA.has(all) || inA.has(one) {
			t.Error("a message came back to its sender")
		}
	}
}

func TestMemberlistMovesMessages(t *testing.T) {
	a, inA := gossip(t, "a", nil)
	b, inB := gossip(t, "b", nil, a.Addr())
	await(t, "both know each other", func() bool { return a.Status().Members == 1 && b.Status().Members == 1 })
	exchange(t, a, b, b.cfg.Node, inA, inB)
	if a.Send(4711, []byte("x")) {
		t.Error("sent to a member that is not there")
	}
}

// TestSeedThatComesLater: joining is tried for ever.
func TestSeedThatComesLater(t *testing.T) {
	a, _ := gossip(t, "a", nil)
	addr := a.Addr()
	if err := a.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b, _ := gossip(t, "b", nil, addr)
	again, _ := gossip(t, "a", func(c *MemberlistConfig) { c.Bind = addr })
	await(t, "joined", func() bool { return again.Status().Members == 1 && b.Status().Members == 1 })
}

func TestMemberThatLeavesIsGoneAtOnce(t *testing.T) {
	a, _ := gossip(t, "a", nil)
	b, _ := gossip(t, "b", nil, a.Addr())
	await(t, "joined", func() bool { return a.Status().Members == 1 && b.Status().Members == 1 })
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	await(t, "gone", func() bool { return a.Status().Members == 0 })
}

// TestForeignersDoNotJoin: another key or another cluster's name keeps out.
func TestForeignersDoNotJoin(t *testing.T) {
	a, inA := gossip(t, "a", nil)
	gossip(t, "b1", func(c *MemberlistConfig) { c.Key = bytes.Repeat([]byte{8}, 32) }, a.Addr())
	gossip(t, "b2", func(c *MemberlistConfig) { c.Cluster = "other" }, a.Addr())
	c, _ := gossip(t, "c", nil, a.Addr())
	await(t, "the right one joined", func() bool { return c.Status().Members == 1 })
	c.Broadcast([]byte("hello"))
	await(t, "and is heard", func() bool { return inA.has([]byte("hello")) })
	if n := a.Status().Members; n != 1 {
		t.Errorf("%d members, want 1", n)
	}
}

func TestMemberlistSettings(t *testing.T) {
	for name, change := range map[string]func(*MemberlistConfig){
		"no key off loopback": func(c *MemberlistConfig) { c.Bind, c.Key = "0.0.0.0:0", nil },
		"no port":             func(c *MemberlistConfig) { c.Bind = "127.0.0.1" },
		"bad advertise":       func(c *MemberlistConfig) { c.Advertise = "x" },
		"short key":           func(c *MemberlistConfig) { c.Key = []byte("short") },
	} {
		cfg := MemberlistConfig{Cluster: "test", Name: "a", Bind: "127.0.0.1:0", Key: testKey, Handler: (&inbox{}).handle, Logger: quiet}
		change(&cfg)
		if m, err := NewMemberlist(cfg); err == nil {
			t.Errorf("%s: accepted", name)
			m.Close(context.Background())
		}
	}
}

func natsClient(t *testing.T, url string, node Node, cluster string) (*NATS, *inbox) {
	t.Helper()
	in := &inbox{}
	c, err := NewNATS(NATSConfig{Cluster: cluster, URL: url, Name: "test", Node: node, Handler: in.handle, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, c)
	return c, in
}

func embedded(t *testing.T, listen string) *Embedded {
	t.Helper()
	e, err := StartEmbedded(EmbeddedConfig{Listen: listen, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	return e
}

func TestNATSMovesMessages(t *testing.T) {
	url := embedded(t, "127.0.0.1:0").ClientURL()
	a, inA := natsClient(t, url, 1, "test")
	b, inB := natsClient(t, url, 2, "test")
	_, inC := natsClient(t, url, 2, "other")
	await(t, "connected", func() bool { return a.Status().Connected && b.Status().Connected })
	exchange(t, a, b, 2, inA, inB)
	if a.Send(2, make([]byte, 2<<20)) {
		t.Error("sent more than the server takes")
	}
	if len(inC.msgs) != 0 {
		t.Error("another cluster got our messages")
	}
}

// TestNATSReturns: the client connects to a server that was not there at first,
// and again to one that went away.
func TestNATSReturns(t *testing.T) {
	first := embedded(t, "127.0.0.1:0")
	url := first.ClientURL()
	first.Shutdown()
	a, _ := natsClient(t, url, 1, "test")
	b, inB := natsClient(t, url, 2, "test")
	if a.Status().Connected || a.Send(2, []byte("x")) {
		t.Error("connected to a server that is not there")
	}
	a.Broadcast([]byte("lost"))
	if a.Status().Dropped == 0 {
		t.Error("a message without a server is not counted as dropped")
	}
	for round := range 2 {
		server := embedded(t, url[len("nats://"):])
		await(t, "connected", func() bool { return a.Status().Connected && b.Status().Connected })
		msg := fmt.Append(nil, "round", round)
		await(t, "delivered", func() bool { a.Broadcast(msg); return inB.has(msg) })
		server.Shutdown()
		await(t, "disconnected", func() bool { return !a.Status().Connected })
	}
}

func TestNATSSettings(t *testing.T) {
	for _, cfg := range []NATSConfig{
		{Cluster: "a.b", URL: "nats://127.0.0.1:1"}, {Cluster: "*", URL: "nats://127.0.0.1:1"}, {Cluster: "", URL: "nats://127.0.0.1:1"},
		{Cluster: "test", URL: "nats://127.0.0.1:1", CredsFile: "missing"},
	} {
		cfg.Handler, cfg.Logger = (&inbox{}).handle, quiet
		if c, err := NewNATS(cfg); err == nil {
			c.Close(context.Background())
			t.Errorf("accepted: %+v", cfg)
		}
	}
	if e, err := StartEmbedded(EmbeddedConfig{Listen: "0.0.0.0:0", Logger: quiet}); err == nil {
		e.Shutdown()
		t.Error("an open server beyond loopback")
	}
	busy := embedded(t, "127.0.0.1:0").ClientURL()[len("nats://"):]
	if e, err := StartEmbedded(EmbeddedConfig{Listen: busy, Logger: quiet}); err == nil {
		e.Shutdown()
		t.Error("two servers on one port")
	}
}
