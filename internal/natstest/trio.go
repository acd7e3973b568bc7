// Package natstest runs clusters of NATS servers for tests, in this process, with
// wires between them that can be cut.
package natstest

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const deadline = 60 * time.Second

// Await polls until ok, or fails the test.
func Await(t testing.TB, what string, ok func() bool) {
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

// Trio is a JetStream cluster of three servers in this process.
type Trio struct {
	t       testing.TB
	Servers [3]*server.Server
	options [3]*server.Options
	wires   [3][3]*Wire // from, to
}

// NewTrio starts three servers that sync, named s0 to s2, which end with the
// test.
func NewTrio(t testing.TB) *Trio {
	t.Helper()
	c := &Trio{t: t}
	for i := range c.wires {
		for j := range c.wires[i] {
			if i != j {
				c.wires[i][j] = NewWire(t, "")
			}
		}
	}
	dir := t.TempDir()
	for i := range c.Servers {
		var routes []*url.URL
		for j, w := range c.wires[i] {
			if j != i {
				routes = append(routes, &url.URL{Scheme: "nats", Host: w.Addr()})
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
		c.Start(i)
	}
	t.Cleanup(func() {
		for i := range c.Servers {
			c.Kill(i)
		}
	})
	Await(t, "a leader that knows all three", func() bool {
		for _, s := range c.Servers {
			if s.JetStreamIsLeader() {
				return len(s.JetStreamClusterPeers()) == 3
			}
		}
		return false
	})
	return c
}

// Start starts server i, again at the ports that it had.
func (c *Trio) Start(i int) {
	c.t.Helper()
	o := c.options[i]
	var s *server.Server
	Await(c.t, "the server's ports", func() bool {
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
	c.Servers[i] = s
	o.Port = s.Addr().(*net.TCPAddr).Port
	o.Cluster.Port = s.ClusterAddr().Port
	for j := range c.wires {
		if w := c.wires[j][i]; w != nil {
			w.Lead(s.ClusterAddr().String())
		}
	}
}

// Kill stops server i, if it runs.
func (c *Trio) Kill(i int) {
	if s := c.Servers[i]; s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// Isolate parts server i from the others, or joins it to them again.
func (c *Trio) Isolate(i int, cut bool) {
	for j := range c.wires {
		if j != i {
			c.wires[i][j].Cut(cut)
			c.wires[j][i].Cut(cut)
		}
	}
	if cut {
		Await(c.t, "the server without routes", func() bool { return c.Servers[i].NumRoutes() == 0 })
	}
}

// URLs lists the servers, beginning with number first.
func (c *Trio) URLs(first int) string {
	var all []string
	for i := range c.Servers {
		all = append(all, fmt.Sprintf("nats://127.0.0.1:%d", c.options[(first+i)%3].Port))
	}
	return strings.Join(all, ",")
}
