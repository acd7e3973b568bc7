package carrier

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// TestEverywhere: ":7946" is every interface of the kind that the host has, so that an
// address of IPv6 can be advertised where there is no other.
func TestEverywhere(t *testing.T) {
	for want, found := range map[string][]string{
		"[::]":    {"fd00::7"},
		"0.0.0.0": {"10.0.0.7", "fd00::7"},
	} {
		var list []candidate
		for _, s := range found {
			list = append(list, candidate{"eth0", netip.MustParseAddr(s)})
		}
		if got := everywhere(list); got != want {
			t.Errorf("with %v it is %s", found, got)
		}
		if addr, err := choose(list, netip.Addr{}, everywhere(list) == "[::]"); err != nil || addr.String() != found[0] {
			t.Errorf("with %v is advertised %v, %v", found, addr, err)
		}
	}
	if got := everywhere(nil); got != "0.0.0.0" {
		t.Errorf("without addresses it is %s", got)
	}
}

func TestChooseAdvertise(t *testing.T) {
	addrs := func(list ...string) (found []candidate) {
		for _, s := range list {
			found = append(found, candidate{"if" + s[:1], netip.MustParseAddr(s)})
		}
		return found
	}
	for _, c := range []struct {
		name  string
		found []candidate
		out   string
		six   bool
		want  string // an address, or part of the error
	}{
		{"the only one", addrs("10.0.0.5", "203.0.113.9"), "203.0.113.9", false, "10.0.0.5"},
		{"the default route's, not the bridge's", addrs("172.17.0.1", "10.0.0.5"), "10.0.0.5", false, "10.0.0.5"},
		{"a pod in the shared range", addrs("100.64.3.4"), "100.64.3.4", false, "100.64.3.4"},
		{"several and no hint", addrs("172.17.0.1", "10.0.0.5", "203.0.113.9"), "203.0.113.9", false, "several of these are private: 172.17.0.1 (if1), 10.0.0.5 (if1), 203.0.113.9 (if2)"},
		{"public only", addrs("203.0.113.9"), "203.0.113.9", false, "none of these is usable and private: 203.0.113.9"},
		{"IPv6 unheard on an IPv4 socket", addrs("fd00::2"), "", false, "none of these is usable and private: fd00::2"},
		{"IPv6", addrs("fd00::2"), "", true, "fd00::2"},
		{"nothing", nil, "", false, "none of them has an address"},
	} {
		out, _ := netip.ParseAddr(c.out)
		got, err := choose(c.found, out, c.six)
		switch {
		case err == nil && got.String() != c.want:
			t.Errorf("%s: chose %s, want %s", c.name, got, c.want)
		case err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "gossip.advertise")):
			t.Errorf("%s: %v; want %s", c.name, err, c.want)
		}
	}
}

func TestAdvertiseAddress(t *testing.T) {
	bound := netip.MustParseAddrPort("10.0.0.5:7946")
	for setting, want := range map[string]string{
		"": "10.0.0.5:7946", "192.0.2.1:0": "192.0.2.1:7946", "192.0.2.1:99": "192.0.2.1:99", "[2001:db8::1]:5": "[2001:db8::1]:5",
	} {
		if got, err := advertiseAddress(bound, setting); err != nil || got.String() != want {
			t.Errorf("advertise %q: %s, %v; want %s", setting, got, err, want)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add(appendMetadata(nil, 7, "node"))
	f.Add([]byte{2, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		node, name, err := parseMetadata(b)
		if err == nil && string(appendMetadata(nil, node, name)) != string(b) {
			t.Fatalf("%x does not round-trip", b)
		}
	})
}

func listed(name string, node Node, port uint16) *memberlist.Node {
	return &memberlist.Node{Name: name, Addr: net.IPv4(127, 0, 0, 1), Port: port, Meta: appendMetadata(nil, node, name)}
}

func TestRoster(t *testing.T) {
	now := time.Unix(1000, 0)
	states := func(r *roster, at time.Time) (all string) {
		for _, p := range r.peers(at) {
			all += p.Name + ":" + string(p.State) + " "
		}
		return strings.TrimSpace(all)
	}
	r := newRoster("self")
	r.join(listed("a", 1, 1), now)
	r.join(listed("b", 2, 2), now)
	check := func(what, want string) {
		t.Helper()
		if got := states(r, now); got != want {
			t.Errorf("%s: %s; want %s", what, got, want)
		}
	}
	check("joined", "a:alive b:alive")
	r.goodbye("a", now)
	r.gone("a", now)
	check("goodbye, then memberlist's news", "a:left b:alive")
	r.gone("b", now)
	check("death", "a:left b:dead")
	r.goodbye("b", now)
	check("memberlist's news, then goodbye", "a:left b:left")
	r.goodbye("c", now)
	r.join(listed("c", 3, 3), now)
	check("goodbye before the joining", "a:left b:left c:left")
	if len(r.reachable()) != 0 {
		t.Error("members that left are reachable")
	}
	r.join(listed("a2", 1, 1), now)
	check("back as a new process", "a2:alive b:left c:left")
	now = now.Add(rememberGone + time.Second)
	check("later", "a2:alive")
}

func TestRosterOnePerAddress(t *testing.T) {
	r, now := newRoster("self"), time.Unix(1000, 0)
	r.join(listed("old", 1, 1), now)
	r.join(listed("new", 1, 1), now)
	if all := r.reachable(); len(all) != 1 || all[0].peer.Name != "new" || r.find(1) != all[0] {
		t.Errorf("reachable: %v", all)
	}
	unknown := &memberlist.Node{Name: "v2", Addr: net.IPv4(127, 0, 0, 1), Port: 2, Meta: []byte{2, 1}}
	if _, err := r.join(unknown, now); !errors.Is(err, errMetadata) {
		t.Errorf("unknown metadata: %v", err)
	}
	if len(r.reachable()) != 2 || r.find(0) != nil {
		t.Error("a member of another version must get broadcasts, and can't be addressed")
	}
}

// One member that does not answer holds up nobody else, its queue is bounded,
// and a failure empties it.
func TestStreamsKeepMembersApart(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	began, stuck, sent := make(chan struct{}, 1), make(chan struct{}), make(chan string, 100)
	var c counters
	s := &streams{ctx: ctx, counters: &c, slots: make(chan struct{}, maxStreams)}
	s.send = func(to *memberlist.Node, _ []byte) error {
		if to.Name == "stuck" {
			began <- struct{}{}
			<-stuck
			return errors.New("timed out")
		}
		sent <- to.Name
		return nil
	}
	bad, good := &member{node: listed("stuck", 1, 1)}, &member{node: listed("good", 2, 2)}
	s.push(bad, []byte("x"))
	<-began // it is under way, so the lane is empty
	accepted := 0
	for range 2 * maxLaneMessages {
		if s.push(bad, []byte("x")) {
			accepted++
		}
	}
	if accepted != maxLaneMessages {
		t.Errorf("%d messages fit a lane of %d", accepted, maxLaneMessages)
	}
	if !s.push(good, []byte("x")) || <-sent != "good" {
		t.Error("a stuck member holds up another")
	}
	if big := make([]byte, MaxMessage); fill(s, good, big) > maxLaneBytes/MaxMessage+100 {
		t.Error("a lane is not bounded in bytes")
	}
	close(stuck)
	if err := s.close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.push(good, []byte("x")) {
		t.Error("a closed sender takes messages")
	}
	if got := c.dropped.Load(); got < 2*maxLaneMessages {
		t.Errorf("%d dropped are counted; want all %d to the stuck member", got, 2*maxLaneMessages)
	}
	stop()
}

func fill(s *streams, m *member, msg []byte) (n int) {
	for range 50 {
		if s.push(m, msg) {
			n++
		}
	}
	return n
}

// A peer that accepts connections and then reads nothing must not hold a sender
// beyond the carrier's life.
func TestTransportGivesUpOnHungPeer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, stop := context.WithCancel(context.Background())
	tr := &transport{ctx: ctx, loopbackOnly: true}
	conn, err := tr.DialTimeout(silent.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		for err = nil; err == nil; {
			_, err = conn.Write(make([]byte, 1<<20))
		}
	})
	stop()
	writing.Wait()
	conn.Close()
	if _, err := tr.DialTimeout(silent.Addr().String(), patience); !errors.Is(err, context.Canceled) {
		t.Errorf("dial after the end: %v", err)
	}
}

func TestQueueFullIsCounted(t *testing.T) {
	m := &Memberlist{roster: newRoster("self"), datagrams: make(chan datagram, 1)}
	m.roster.join(listed("a", 1, 1), time.Now())
	if !m.Send(1, []byte("x")) || m.Send(1, []byte("x")) {
		t.Error("a queue of one took two messages, or none")
	}
	m.Broadcast([]byte("x"))
	m.Broadcast(nil)
	m.Broadcast(make([]byte, MaxMessage+1))
	if got := m.counters.dropped.Load(); got != 4 {
		t.Errorf("%d dropped; want 4", got)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		`parse "nats://user:p@ss/wd@host:4222": bad`: `parse "nats://***@host:4222": bad`,
		"nats://token@h":                   "nats://***@h",
		"dial tcp 127.0.0.1:4222: refused": "dial tcp 127.0.0.1:4222: refused",
	} {
		if got := redact(in); got != want {
			t.Errorf("redact(%q) = %q", in, got)
		}
	}
	if n := len(redact(string(big(10_000)))); n > maxErrorText+3 {
		t.Errorf("an error text of %d bytes", n)
	}
}

// TestLastWords: a flood of one kind does not hide another, and the log ends with the
// last of each kind, also where nothing follows it.
func TestLastWords(t *testing.T) {
	s, now := sayings{period: time.Second}, time.Unix(1000, 0)
	var log []string
	say := func(at time.Duration, kind, text string) {
		s.say(now.Add(at), kind, func(muted int) { log = append(log, fmt.Sprint(text, " ", muted)) })
	}
	for i := range 5 {
		say(0, "trouble", fmt.Sprint("t", i))
	}
	say(0, "connection", "up")
	say(1, "connection", "down")
	s.lastWords(now.Add(2))
	s.lastWords(now.Add(time.Second + 1))
	slices.Sort(log[2:]) // of two kinds at one time
	say(1500*time.Millisecond, "trouble", "in the period that the last word began")
	say(3*time.Second, "trouble", "t9")
	s.lastWords(now.Add(time.Hour))
	want := []string{"t0 0", "up 0", "down 0", "t4 3", "t9 1"}
	if !slices.Equal(log, want) {
		t.Errorf("the log is %q, want %q", log, want)
	}
	for i := range 1000 {
		say(time.Hour, fmt.Sprint(i), "x")
	}
	if len(s.kinds) > maxSayings+1 {
		t.Errorf("%d kinds are remembered", len(s.kinds))
	}
}
