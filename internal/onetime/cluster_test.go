package onetime

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const deadline = 60 * time.Second

// await polls until ok, or fails the test.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(deadline)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", deadline, what)
		}
		<-poll.C
	}
}

// wire is the way from one server to another, which can be cut.
type wire struct {
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	to    string
	cut   bool
	conns map[net.Conn]bool
}

func newWire(t testing.TB) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, conns: make(map[net.Conn]bool)}
	w.running.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.set(true)
		w.running.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.running.Go(func() { w.carry(in) })
	}
}

func (w *wire) carry(in net.Conn) {
	defer in.Close()
	w.mu.Lock()
	to, cut := w.to, w.cut
	w.mu.Unlock()
	if cut || to == "" {
		return
	}
	out, err := net.DialTimeout("tcp", to, time.Second)
	if err != nil {
		return
	}
	defer out.Close()
	if !w.enter(in, out) {
		return
	}
	defer w.leave(in, out)
	done := make(chan struct{}, 2)
	for _, c := range [][2]net.Conn{{in, out}, {out, in}} {
		w.running.Go(func() {
			io.Copy(c[0], c[1])
			done <- struct{}{}
		})
	}
	<-done
}

func (w *wire) enter(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.conns[c] = true
	}
	return !w.cut
}

func (w *wire) leave(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.conns, c)
	}
}

// set cuts the wire or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if !cut {
		return
	}
	for c := range w.conns {
		c.Close()
	}
}

// trio is a JetStream cluster of three servers in this process.
type trio struct {
	t       testing.TB
	servers [3]*server.Server
	options [3]*server.Options
	wires   [3][3]*wire // from, to
}

func newTrio(t testing.TB) *trio {
	t.Helper()
	c := &trio{t: t}
	for i := range c.wires {
		for j := range c.wires[i] {
			if i != j {
				c.wires[i][j] = newWire(t)
			}
		}
	}
	dir := t.TempDir()
	for i := range c.servers {
		var routes []*url.URL
		for j, w := range c.wires[i] {
			if j != i {
				routes = append(routes, &url.URL{Scheme: "nats", Host: w.listener.Addr().String()})
			}
		}
		c.options[i] = &server.Options{
			ServerName: fmt.Sprint("s", i), Host: "127.0.0.1", Port: server.RANDOM_PORT,
			// What the servers tell each other of their addresses leads nowhere:
			// every way leads through a wire.
			Cluster:   server.ClusterOpts{Name: "trio", Host: "127.0.0.1", Port: server.RANDOM_PORT, Advertise: "127.0.0.1:1", NoAdvertise: true, PoolSize: -1},
			Routes:    routes,
			JetStream: true, StoreDir: filepath.Join(dir, fmt.Sprint(i)), SyncAlways: true,
			NoSigs: true, NoLog: true,
		}
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.kill(i)
		}
	})
	await(t, "a leader that knows all three", func() bool {
		for _, s := range c.servers {
			if s.JetStreamIsLeader() {
				return len(s.JetStreamClusterPeers()) == 3
			}
		}
		return false
	})
	return c
}

// start starts server i, again at the ports that it had.
func (c *trio) start(i int) {
	c.t.Helper()
	o := c.options[i]
	var s *server.Server
	await(c.t, "the server's ports", func() bool {
		var err error
		if s, err = server.NewServer(o.Clone()); err != nil {
			c.t.Fatal(err)
		}
		s.Start()
		if s.ReadyForConnections(5 * time.Second) {
			return true
		}
		s.Shutdown()
		s.WaitForShutdown()
		return false
	})
	c.servers[i] = s
	o.Port = s.Addr().(*net.TCPAddr).Port
	o.Cluster.Port = s.ClusterAddr().Port
	for j := range c.wires {
		if w := c.wires[j][i]; w != nil {
			w.mu.Lock()
			w.to = s.ClusterAddr().String()
			w.mu.Unlock()
		}
	}
}

func (c *trio) kill(i int) {
	if s := c.servers[i]; s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// isolate parts server i from the others, or joins it to them again.
func (c *trio) isolate(i int, cut bool) {
	for j := range c.wires {
		if j != i {
			c.wires[i][j].set(cut)
			c.wires[j][i].set(cut)
		}
	}
	if cut {
		await(c.t, "the server without routes", func() bool { return c.servers[i].NumRoutes() == 0 })
	}
}

// urls lists the servers, beginning with number first.
func (c *trio) urls(first int) string {
	var all []string
	for i := range c.servers {
		all = append(all, fmt.Sprintf("nats://127.0.0.1:%d", c.options[(first+i)%3].Port))
	}
	return strings.Join(all, ",")
}

// openStore opens a client of url, with three replicas.
func openStore(t testing.TB, url string, buckets, replicas int) *Store {
	t.Helper()
	s, err := Open(Config{Cluster: "test", URL: url, Buckets: buckets, Replicas: cmp.Or(replicas, 1), DangerouslyAssumeSync: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
