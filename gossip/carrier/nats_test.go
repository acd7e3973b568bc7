package carrier

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func startServer(t *testing.T, listen string) *Embedded {
	t.Helper()
	e, err := StartEmbedded(EmbeddedConfig{Listen: listen, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	return e
}

type natsNode struct {
	*NATS
	in inbox
}

func startNATS(t *testing.T, url string, id Node, change func(*NATSConfig)) natsNode {
	t.Helper()
	in := newInbox()
	cfg := NATSConfig{Cluster: "prod", URL: url, Name: id.String(), Node: id, Handler: in.handle, Logger: quiet}
	if change != nil {
		change(&cfg)
	}
	n, err := NewNATS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(n) }) // an error is no failure here: a test's server may have stopped first
	return natsNode{n, in}
}

func TestNATSDelivers(t *testing.T) {
	url := startServer(t, "127.0.0.1:0").ClientURL()
	a, b, c := startNATS(t, url, 1, nil), startNATS(t, url, 2, nil), startNATS(t, url, 3, nil)
	stranger := startNATS(t, url, 2, func(c *NATSConfig) { c.Cluster = "prod.all" })
	for _, size := range []int{1, 1200, MaxMessage} {
		msg := big(size)
		a.Broadcast(msg)
		b.in.await(t, msg)
		c.in.await(t, msg)
		if !b.Send(3, msg) {
			t.Fatalf("send %d bytes refused", size)
		}
		c.in.await(t, msg)
	}
	for name, in := range map[string]inbox{"sender": a.in, "bystander": b.in, "other cluster": stranger.in} {
		if got := in.drain(); len(got) != 0 {
			t.Errorf("%s got %d messages", name, len(got))
		}
	}
	eventually(t, "what was sent is counted", func() bool { return a.Status().Sent == 3 })
	if s := c.Status(); !s.Connected || s.Name != "nats" || s.Received != 6 || s.Dropped+s.Errors+s.Overrun != 0 || !strings.Contains(url, s.Address) {
		t.Errorf("status of the receiver: %+v", s)
	}
	if a.Peers() != nil {
		t.Error("NATS knows no peers")
	}
}

func TestNATSInProcess(t *testing.T) {
	server := startServer(t, "")
	if url := server.ClientURL(); url != "" {
		t.Errorf("a server that does not listen has URL %s", url)
	}
	use := func(c *NATSConfig) { c.InProcess = server }
	a, b := startNATS(t, "", 1, use), startNATS(t, "", 2, use)
	a.Broadcast([]byte("hello"))
	b.in.await(t, []byte("hello"))
}

func TestNATSReconnects(t *testing.T) {
	var changes atomic.Int64
	server := startServer(t, "127.0.0.1:0")
	url := server.ClientURL()
	a := startNATS(t, url, 1, func(c *NATSConfig) { c.OnChange = func() { changes.Add(1) } })
	b := startNATS(t, url, 2, nil)
	eventually(t, "OnChange tells of the connection", func() bool { return changes.Load() == 1 })
	server.Shutdown()
	eventually(t, "both notice", func() bool { return !a.Status().Connected && !b.Status().Connected })
	a.Broadcast([]byte("lost"))
	if a.Send(2, []byte("lost")) || a.Status().Dropped != 2 {
		t.Errorf("sending without a server: %+v", a.Status())
	}
	startServer(t, strings.TrimPrefix(url, "nats://"))
	eventually(t, "both reconnect", func() bool { return a.Status().Reconnects == 1 && b.Status().Reconnects == 1 })
	a.Broadcast([]byte("found"))
	b.in.await(t, []byte("found"))
	if !b.Send(1, []byte("again")) {
		t.Fatal("send refused")
	}
	a.in.await(t, []byte("again"))
	if s := a.Status(); s.LastError == "" || changes.Load() < 3 {
		t.Errorf("after a reconnect, with %d changes told: %+v", changes.Load(), s)
	}
}

// TestNATSSendsNothingLate: what is given to a carrier without a connection is
// dropped, and not kept and sent at the next one, when it is old news: a beat that
// comes late claims to be a beat of now.
func TestNATSSendsNothingLate(t *testing.T) {
	server := startServer(t, "127.0.0.1:0")
	url := server.ClientURL()
	a, b := startNATS(t, url, 1, nil), startNATS(t, url, 2, nil)
	server.Shutdown()
	for i := range 1000 { // before and after the loss is noticed
		a.Broadcast([]byte("old"))
		if i == 500 {
			eventually(t, "the loss is noticed", func() bool { return !a.Status().Connected && !b.Status().Connected })
		}
	}
	startServer(t, strings.TrimPrefix(url, "nats://"))
	eventually(t, "both reconnect", func() bool { return a.Status().Reconnects >= 1 && b.Status().Reconnects >= 1 })
	a.Broadcast([]byte("new"))
	select {
	case first := <-b.in:
		if string(first) != "new" {
			t.Errorf("%q came after the reconnect", first)
		}
	case <-time.After(patience):
		t.Error("nothing came after the reconnect")
	}
	if s := a.Status(); s.Dropped < 499 {
		t.Errorf("only %d counted as dropped", s.Dropped)
	}
}

func TestNATSServerStartsLater(t *testing.T) {
	first := startServer(t, "127.0.0.1:0")
	url := first.ClientURL()
	first.Shutdown()
	a, b := startNATS(t, url, 1, nil), startNATS(t, url, 2, nil)
	eventually(t, "a dial has failed", func() bool { return a.Status().Errors > 0 })
	if a.Send(2, []byte("x")) {
		t.Error("sent without ever having had a connection")
	}
	startServer(t, strings.TrimPrefix(url, "nats://"))
	eventually(t, "both connect", func() bool { return a.Status().Connected && b.Status().Connected })
	a.Broadcast([]byte("at last"))
	b.in.await(t, []byte("at last"))
}

func TestNATSCountsWhatASlowHandlerLoses(t *testing.T) {
	url := startServer(t, "127.0.0.1:0").ClientURL()
	release := make(chan struct{})
	slow := startNATS(t, url, 1, func(c *NATSConfig) { c.Handler = func(string, []byte) { <-release } })
	defer close(release)
	other, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	const surplus = 500
	for range maxPending + surplus {
		if err := other.Publish(subjectAll("prod"), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss is counted", func() bool {
		s := slow.Status()
		return s.Overrun >= surplus-1 && strings.Contains(s.LastError, "slow consumer") && s.Connected
	})
}

func TestNATSTooLarge(t *testing.T) {
	connected := make(chan struct{}, 10)
	a := startNATS(t, startServer(t, "127.0.0.1:0").ClientURL(), 1, func(c *NATSConfig) {
		c.OnChange = func() { connected <- struct{}{} }
	})
	<-connected                   // the limit is not read again after that
	a.link.maxPayload.Store(1000) // as a server with a lower limit says
	if a.Send(2, big(1001)) || a.Send(2, nil) {
		t.Error("took what the server would refuse")
	}
	if !a.Send(2, big(1000)) {
		t.Error("refused what the server takes")
	}
	if got := a.Status().Dropped; got != 2 {
		t.Errorf("%d dropped; want 2", got)
	}
}

func TestNATSCloseSendsWhatIsQueued(t *testing.T) {
	url := startServer(t, "127.0.0.1:0").ClientURL()
	a, b := startNATS(t, url, 1, nil), startNATS(t, url, 2, nil)
	for range 100 {
		a.Broadcast([]byte("before"))
	}
	a.Broadcast([]byte("last words"))
	if err := closeNow(a); err != nil {
		t.Fatal(err)
	}
	b.in.await(t, []byte("last words"))
	a.Broadcast([]byte("x"))
	if a.Send(2, []byte("x")) || closeNow(a) != nil || a.Status().Connected {
		t.Error("a closed carrier sends, is connected, or can't be closed again")
	}
}

// Close does not wait for a server that is away.
func TestNATSCloseWithoutServer(t *testing.T) {
	a := startNATS(t, "nats://127.0.0.1:1", 1, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestNATSConfig(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "creds")
	for name, c := range map[string]struct {
		change func(*NATSConfig)
		want   string
	}{
		"no cluster":       {func(c *NATSConfig) { c.Cluster = "" }, "cluster"},
		"no handler":       {func(c *NATSConfig) { c.Handler = nil }, "handler"},
		"no URL":           {func(c *NATSConfig) { c.URL = "" }, "nats.url"},
		"no creds file":    {func(c *NATSConfig) { c.Login.CredsFile = missing }, "creds"},
		"malformed URL":    {func(c *NATSConfig) { c.URL = "nats://user:s3cret%zz@host:4222" }, "nats"},
		"malformed scheme": {func(c *NATSConfig) { c.URL = "nats://user:s3cret@host:port" }, "nats"},
	} {
		cfg := NATSConfig{Cluster: "prod", URL: "nats://127.0.0.1:1", Handler: func(string, []byte) {}, Logger: quiet}
		c.change(&cfg)
		n, err := NewNATS(cfg)
		if err == nil {
			closeNow(n)
			t.Errorf("%s: accepted", name)
		} else if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %q does not say %q, or tells a secret", name, err, c.want)
		}
	}
}

func TestSubjectToken(t *testing.T) {
	for name, want := range map[string]string{
		"prod": "prod", "Prod_2-x": "Prod_2-x", "a.b": "a=2eb", "a*": "a=2a", ">": "=3e", "a b": "a=20b", "a=2eb": "a=3d2eb", "ü": "=c3=bc",
	} {
		if got := subjectToken(name); got != want {
			t.Errorf("subjectToken(%q) = %q, want %q", name, got, want)
		}
	}
	if got := subjectNode("prod", 0xab); got != "rescind.prod.node.00000000000000ab" {
		t.Errorf("subject of a node is %s", got)
	}
}

func TestEmbeddedStaysLocal(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if e, err := StartEmbedded(EmbeddedConfig{Listen: listen, Logger: quiet}); err == nil {
			e.Shutdown()
			t.Errorf("listens at %s without having been allowed to", listen)
		}
	}
	e, err := StartEmbedded(EmbeddedConfig{Listen: "0.0.0.0:0", AllowRemote: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown()
	if !strings.HasPrefix(e.ClientURL(), "nats://127.0.0.1:") {
		t.Errorf("clients on this host are sent to %s", e.ClientURL())
	}
	startNATS(t, e.ClientURL(), 1, nil)
}

func TestEmbeddedPortInUse(t *testing.T) {
	used := strings.TrimPrefix(startServer(t, "127.0.0.1:0").ClientURL(), "nats://")
	e, err := StartEmbedded(EmbeddedConfig{Listen: used, Logger: quiet})
	if err == nil {
		e.Shutdown()
		t.Fatal("two servers on one port")
	}
	if !strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(), used) {
		t.Errorf("error does not say what is wrong: %v", err)
	}
}
