package carrier

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

// peerNode is a member under test and what it received.
type peerNode struct {
	*Memberlist
	in inbox
}

func startGossip(t *testing.T, id Node, change func(*MemberlistConfig), join ...string) peerNode {
	t.Helper()
	in := newInbox()
	cfg := MemberlistConfig{
		Cluster: "prod", Name: "node-" + id.String()[15:], Node: id, Bind: "127.0.0.1:0",
		Join: join, Keys: [][]byte{testKey}, Handler: in.handle, Logger: quiet,
	}
	if change != nil {
		change(&cfg)
	}
	m, err := NewMemberlist(cfg)
	if err != nil {
		t.Fatal(err)
	}
	// A test that ends by a crash or a failure has nobody left to take leave of.
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		m.Close(ctx)
	})
	return peerNode{m, in}
}

func awaitMembers(t *testing.T, n int, nodes ...peerNode) {
	t.Helper()
	for _, node := range nodes {
		eventually(t, "every node knows every other", func() bool { return node.Status().Members == n })
	}
}

func awaitState(t *testing.T, at peerNode, of Node, state PeerState) {
	t.Helper()
	eventually(t, of.String()+" seen "+string(state), func() bool {
		for _, p := range at.Peers() {
			if p.Node == of {
				return p.State == state
			}
		}
		return false
	})
}

func TestMemberlistDelivers(t *testing.T) {
	a := startGossip(t, 1, nil)
	b := startGossip(t, 2, nil, a.Addr())
	c := startGossip(t, 3, nil, a.Addr())
	awaitMembers(t, 2, a, b, c)
	for _, size := range []int{1, MaxDatagram, MaxDatagram + 1, 300_000, MaxMessage} {
		msg := big(size)
		a.Broadcast(msg)
		b.in.await(t, msg)
		c.in.await(t, msg)
		if !b.Send(3, msg) {
			t.Fatalf("send %d bytes refused", size)
		}
		c.in.await(t, msg)
		if got := append(a.in.drain(), b.in.drain()...); len(got) != 0 {
			t.Fatalf("%d messages went astray", len(got))
		}
	}
	if a.Send(99, []byte("x")) || a.Send(0, []byte("x")) || a.Send(1, []byte("x")) {
		t.Error("sent to a node that is not there")
	}
	eventually(t, "what was sent is counted", func() bool {
		s := a.Status()
		return s.Sent == 10 && s.SentBytes == 2*(1+2*MaxDatagram+1+300_000+MaxMessage)
	})
	s := c.Status()
	if !s.Connected || s.Name != "gossip" || s.Received != 10 || s.Dropped != 0 || s.Errors != 0 {
		t.Errorf("status of the receiver: %+v", s)
	}
}

// TestMemberlistStartsAtOnce: of members that start together with one seed each
// soon knows all, also where the news of one missed another.
func TestMemberlistStartsAtOnce(t *testing.T) {
	seed := startGossip(t, 1, nil)
	members := []peerNode{seed}
	for i := range 9 {
		members = append(members, startGossip(t, Node(i+2), nil, seed.Addr()))
	}
	awaitMembers(t, 9, members...)
}

func TestMemberlistPeers(t *testing.T) {
	var changes atomic.Int64
	a := startGossip(t, 1, func(c *MemberlistConfig) { c.OnChange = func() { changes.Add(1) } })
	b := startGossip(t, 0xfedcba9876543210, func(c *MemberlistConfig) { c.Name = "b" }, a.Addr())
	awaitMembers(t, 1, a, b)
	p := a.Peers()[0]
	if p.Node != 0xfedcba9876543210 || p.Name != "b" || p.Address != b.Addr() || p.State != PeerAlive || p.Since.IsZero() {
		t.Errorf("peer is %+v", p)
	}
	eventually(t, "OnChange is called", func() bool { return changes.Load() == 1 })
}

func TestMemberlistLeaves(t *testing.T) {
	a := startGossip(t, 1, nil)
	b := startGossip(t, 2, nil, a.Addr())
	c := startGossip(t, 3, nil, a.Addr())
	awaitMembers(t, 2, a, b, c)
	last := []byte("sent just before leaving")
	c.Broadcast(last)
	if err := closeNow(c); err != nil {
		t.Fatal(err)
	}
	for _, other := range []peerNode{a, b} {
		other.in.await(t, last)
		awaitState(t, other, 3, PeerLeft)
		awaitMembers(t, 1, other)
		if other.Send(3, []byte("x")) {
			t.Error("sent to a member that left")
		}
	}
	c.Broadcast([]byte("x"))
	if c.Send(1, []byte("x")) || closeNow(c) != nil {
		t.Error("a closed carrier sends, or can't be closed again")
	}
}

func TestMemberlistKilled(t *testing.T) {
	t.Parallel()
	a := startGossip(t, 1, nil)
	b := startGossip(t, 2, nil, a.Addr())
	c := startGossip(t, 3, nil, a.Addr())
	awaitMembers(t, 2, a, b, c)
	if err := c.halt(); err != nil { // as a crash: nothing is said
		t.Fatal(err)
	}
	for _, size := range []int{10, 5000} { // before anybody has noticed
		a.Broadcast(big(size))
		b.in.await(t, big(size))
	}
	awaitState(t, a, 3, PeerDead)
	awaitState(t, b, 3, PeerDead)
	for _, size := range []int{11, 5001} {
		a.Broadcast(big(size))
		b.in.await(t, big(size))
	}
}

// A node that crashed and is back before anybody noticed, at another address,
// must be reached at once.
func TestMemberlistRestartsElsewhere(t *testing.T) {
	t.Parallel()
	a := startGossip(t, 1, nil)
	b := startGossip(t, 2, nil, a.Addr())
	awaitMembers(t, 1, a, b)
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	again := startGossip(t, 2, nil, a.Addr())
	awaitMembers(t, 1, again)
	eventually(t, "the new process is addressed", func() bool {
		member := a.roster.find(2)
		return member != nil && member.peer.Address == again.Addr()
	})
	if !a.Send(2, []byte("welcome back")) {
		t.Fatal("send refused")
	}
	again.in.await(t, []byte("welcome back"))
	eventually(t, "the old process is forgotten", func() bool {
		peers := a.Peers()
		return len(peers) == 1 && peers[0].State == PeerAlive
	})
}

func TestMemberlistSeedStartsLater(t *testing.T) {
	placeholder := startGossip(t, 9, nil)
	seed := placeholder.Addr()
	if err := placeholder.halt(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(seed)
	a := startGossip(t, 1, nil, "dns+localhost:"+port)
	b := startGossip(t, 2, nil, seed)
	eventually(t, "both have tried in vain", func() bool { return a.Status().Errors > 0 && b.Status().Errors > 0 })
	if s := a.Status(); s.Connected || s.LastError == "" || s.LastErrorAt.IsZero() {
		t.Errorf("status without a seed: %+v", s)
	}
	late := startGossip(t, 3, func(c *MemberlistConfig) { c.Bind = seed })
	awaitMembers(t, 2, a, b, late)
	a.Broadcast([]byte("at last"))
	b.in.await(t, []byte("at last"))
}

func TestMemberlistRefusesStrangers(t *testing.T) {
	a := startGossip(t, 1, nil)
	b := startGossip(t, 2, nil, a.Addr())
	otherKey := startGossip(t, 3, func(c *MemberlistConfig) { c.Keys = [][]byte{[]byte(strings.Repeat("k", 32))} }, a.Addr(), b.Addr())
	otherCluster := startGossip(t, 4, func(c *MemberlistConfig) { c.Cluster = "staging" }, a.Addr(), b.Addr())
	noKey := startGossip(t, 5, func(c *MemberlistConfig) { c.Keys = nil }, a.Addr(), b.Addr())
	strangers := []peerNode{otherKey, otherCluster, noKey}
	awaitMembers(t, 1, a, b)
	for _, s := range strangers {
		eventually(t, "the stranger has tried thrice", func() bool { return s.Status().Errors >= 3 })
	}
	forge(t, a.Addr(), "prod")
	a.Broadcast([]byte("for friends"))
	b.in.await(t, []byte("for friends"))
	b.Broadcast([]byte("and back"))
	a.in.await(t, []byte("and back")) // had the forgery been taken, a would have got it before
	for _, s := range strangers {
		if s.Status().Members != 0 || len(s.in.drain()) != 0 {
			t.Error("a stranger became a member or got a message")
		}
	}
	if got := a.Status().Received; got != 1 || a.Status().Members != 1 {
		t.Errorf("a received %d messages and has members %v", got, a.Peers())
	}
}

// forge sends unencrypted messages with the right label, and garbage.
func forge(t *testing.T, to, label string) {
	t.Helper()
	conn, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const userMsg, hasLabel = 8, 244
	labelled := append([]byte{hasLabel, byte(len(label))}, label...)
	plain := append(labelled, userMsg, frameData)
	for _, packet := range [][]byte{
		append(plain, "forged"...), {userMsg, frameData, 'x'}, labelled, {hasLabel}, {hasLabel, 0}, {0}, big(1000),
		binary.BigEndian.AppendUint64(labelled, 1),
	} {
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMemberlistConfig(t *testing.T) {
	valid := func() MemberlistConfig {
		return MemberlistConfig{
			Cluster: "prod", Name: "n", Node: 1, Bind: "127.0.0.1:0", Keys: [][]byte{testKey},
			Handler: func(string, []byte) {}, Logger: quiet,
		}
	}
	for name, c := range map[string]struct {
		change func(*MemberlistConfig)
		want   string
	}{
		"no cluster":                {func(c *MemberlistConfig) { c.Cluster = "" }, "cluster"},
		"long cluster":              {func(c *MemberlistConfig) { c.Cluster = string(big(65)) }, "65 bytes"},
		"long name":                 {func(c *MemberlistConfig) { c.Name = string(big(256)) }, "256 bytes"},
		"no handler":                {func(c *MemberlistConfig) { c.Handler = nil }, "handler"},
		"short key":                 {func(c *MemberlistConfig) { c.Keys = [][]byte{testKey[:16]} }, "16 bytes"},
		"seed without port":         {func(c *MemberlistConfig) { c.Join = []string{"host"} }, "gossip.join"},
		"seed with port 0":          {func(c *MemberlistConfig) { c.Join = []string{"dns+host:0"} }, "gossip.join"},
		"bind without port":         {func(c *MemberlistConfig) { c.Bind = "127.0.0.1" }, "gossip.bind"},
		"unknown bind":              {func(c *MemberlistConfig) { c.Bind = "no.such.host.invalid:1" }, "gossip.bind"},
		"foreign bind":              {func(c *MemberlistConfig) { c.Bind = "203.0.113.7:0" }, "gossip.bind"},
		"unreachable advertise":     {func(c *MemberlistConfig) { c.Advertise = "0.0.0.0:1" }, "gossip.advertise"},
		"plaintext everywhere":      {func(c *MemberlistConfig) { c.Keys, c.Bind = nil, "0.0.0.0:0" }, "without a key"},
		"plaintext off loopback":    {func(c *MemberlistConfig) { c.Keys, c.Bind = nil, ":0" }, "without a key"},
		"plaintext told to outside": {func(c *MemberlistConfig) { c.Keys, c.Advertise = nil, "10.0.0.1:1" }, "without a key"},
	} {
		cfg := valid()
		c.change(&cfg)
		m, err := NewMemberlist(cfg)
		if err == nil {
			m.halt()
			t.Errorf("%s: accepted", name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %q does not say %q", name, err, c.want)
		}
	}
}

// Bound to every interface, a node either knows which address to tell the
// others, or says which setting is missing; which of the two depends on the
// host that the test runs on.
func TestMemberlistEveryInterface(t *testing.T) {
	m, err := NewMemberlist(MemberlistConfig{
		Cluster: "prod", Name: "n", Node: 1, Bind: ":0", Keys: [][]byte{testKey}, Handler: newInbox().handle, Logger: quiet,
	})
	if err != nil {
		if !strings.Contains(err.Error(), "set gossip.advertise") {
			t.Errorf("error does not say what to do: %v", err)
		}
		return
	}
	defer m.halt()
	if addr := netip.MustParseAddrPort(m.Advertised()); addr.Addr().IsUnspecified() || addr.Port() == 0 {
		t.Errorf("advertised %s", addr)
	}
}

// The values for networks other than loopback hold together too.
func TestMemberlistLANValues(t *testing.T) {
	m := &Memberlist{bound: netip.MustParseAddrPort("10.0.0.5:7946"), roster: newRoster("self")}
	cfg := m.memberlistConfig()
	if cfg.TCPTimeout > 3*time.Second || cfg.ProbeTimeout >= cfg.ProbeInterval || cfg.EnableCompression || !cfg.GossipVerifyIncoming {
		t.Errorf("settings: %+v", cfg)
	}
}

// Without a key no seed off this host is dialled, whatever a name resolves to.
func TestMemberlistPlaintextStaysHere(t *testing.T) {
	a := startGossip(t, 1, func(c *MemberlistConfig) { c.Keys = nil }, "198.51.100.1:7946")
	eventually(t, "the dial is refused", func() bool {
		return strings.Contains(a.Status().LastError, "only loopback addresses are dialled")
	})
}

// Close waits for a handler that runs, and lets none start afterwards.
func TestMemberlistCloseEndsHandling(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	b := startGossip(t, 2, func(c *MemberlistConfig) {
		c.Handler = func(string, []byte) {
			if calls.Add(1) == 1 {
				close(entered)
				<-release
			}
		}
	})
	a := startGossip(t, 1, nil, b.Addr())
	awaitMembers(t, 1, a, b)
	a.Broadcast([]byte("one"))
	<-entered
	closed := make(chan struct{})
	go func() {
		b.halt()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("closed while the handler ran")
	case <-time.After(20 * time.Millisecond): // a bound on what the test can notice; it can't fail by being slow
	}
	close(release)
	<-closed
	before := calls.Load()
	delegate{b.Memberlist}.NotifyMsg(frame(frameData, []byte("late")))
	if calls.Load() != before {
		t.Error("the handler was called after Close")
	}
}
