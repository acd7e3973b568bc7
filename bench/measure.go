package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/cluster"
)

const issuer = "https://bench.rescind.invalid"

// load is one measurement of the window.
type load struct {
	nodes    int
	rate     int // per second, on one node after the other
	duration time.Duration
	warmUp   time.Duration
	giveUp   time.Duration // when a sample counts as lost
	scopes   mix
	idBytes  int // length of the identifiers
}

func (l load) count(d time.Duration) int { return max(1, int(float64(l.rate)*d.Seconds())) }

// measureWindow runs a fresh cluster with one set of carriers and measures from
// the call of Revoke on one node to the refusal by Check on every other.
func measureWindow(ctx context.Context, carriers string, l load) (c curve, err error) {
	err = withCluster(ctx, group{carriers: carriers, nodes: l.nodes}, func(nodes []*cluster.Node) error {
		p := newProbe(nodes, l)
		if _, err := p.run(ctx, l.count(l.warmUp)); err != nil {
			return err
		}
		before := firstBy(nodes)
		c, err = p.run(ctx, l.count(l.duration))
		for i, n := range firstBy(nodes) {
			c.firstBy[i] = n - before[i]
		}
		return err
	})
	return c, err
}

// firstBy counts the revocations that memberlist and NATS brought first.
func firstBy(nodes []*cluster.Node) (n [2]float64) {
	for _, node := range nodes {
		c := node.Status().Counters
		n[0] += float64(c.FirstByGossip)
		n[1] += float64(c.FirstByNATS)
	}
	return n
}

// benchKey: what crosses the network is encrypted, as it is off loopback.
var benchKey = []byte("0123456789abcdef0123456789abcdef")

// group describes a cluster in this process.
type group struct {
	carriers string // gossip, nats or both
	nodes    int

	// detour, if not nil, returns what node i is told in place of the NATS
	// server's URL.
	detour func(i int, url string) (string, error)
}

// withCluster runs f with a fresh cluster that has formed.
func withCluster(ctx context.Context, g group, f func([]*cluster.Node) error) (err error) {
	dir, err := os.MkdirTemp("", "rescind-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	nodes, err := g.start(dir)
	defer func() { err = errors.Join(err, closeNodes(nodes)) }()
	if err != nil {
		return err
	}
	if err := awaitCluster(ctx, nodes); err != nil {
		return err
	}
	return f(nodes)
}

// closeNodes closes all at once, but the first, which may run the NATS server,
// after the others.
func closeNodes(nodes []*cluster.Node) error {
	errs := make([]error, len(nodes))
	var closing sync.WaitGroup
	for i, n := range nodes[min(1, len(nodes)):] {
		closing.Go(func() { errs[i] = n.Close() })
	}
	closing.Wait()
	if len(nodes) > 0 {
		errs = append(errs, nodes[0].Close())
	}
	return errors.Join(errs...)
}

func (g group) start(dir string) ([]*cluster.Node, error) {
	var nodes []*cluster.Node
	for i := range g.nodes {
		node, err := g.startOne(dir, i, nodes)
		if err != nil {
			return nodes, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

func (g group) startOne(dir string, i int, nodes []*cluster.Node) (*cluster.Node, error) {
	cfg, err := g.config(i, nodes)
	if err != nil {
		return nil, err
	}
	cfg.DataDir = filepath.Join(dir, cfg.Name)
	return cluster.Start(cfg)
}

// config returns that of node i, which joins those that run already: where it
// knows the first only, the news of it may miss another, and then it takes half a
// minute until memberlist exchanges all names again.
func (g group) config(i int, nodes []*cluster.Node) (cluster.Config, error) {
	cfg := cluster.Config{Cluster: "bench", Name: fmt.Sprint("n", i), Key: benchKey, Logger: slog.New(slog.DiscardHandler)}
	gossip, nats := g.carriers == "gossip" || g.carriers == "both", g.carriers == "nats" || g.carriers == "both"
	if !gossip && !nats {
		return cfg, fmt.Errorf("there is no carrier %q; use gossip, nats or both", g.carriers)
	}
	if gossip {
		cfg.Gossip = &cluster.Gossip{Bind: "127.0.0.1:0"}
		for _, n := range nodes {
			cfg.Gossip.Join = append(cfg.Gossip.Join, n.GossipAddr())
		}
	}
	if nats && i == 0 {
		cfg.NATS = &cluster.NATS{Embed: "127.0.0.1:0"}
	} else if nats {
		url := nodes[0].NATSURL()
		if g.detour != nil {
			var err error
			if url, err = g.detour(i, url); err != nil {
				return cfg, err
			}
		}
		cfg.NATS = &cluster.NATS{URL: url}
	}
	return cfg, nil
}

// awaitCluster waits until every node is ready and has measured its staleness
// against all others.
func awaitCluster(ctx context.Context, nodes []*cluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, n := range nodes {
		for len(n.Status().Members) < len(nodes)-1 || !n.Status().Ready || !n.Staleness().Known {
			select {
			case <-ctx.Done():
				return fmt.Errorf("the cluster did not form: %w", ctx.Err())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

// probe revokes tokens and watches every other node for the first refusal.
type probe struct {
	nodes []*cluster.Node
	names []string
	load  load
	next  int // number of the next token

	// acked, if not nil, is told when another node has said that it holds a
	// revocation durably. Every revocation then waits for all.
	acked *recorder

	mu   sync.Mutex // guards errs
	errs error
}

func newProbe(nodes []*cluster.Node, l load) *probe {
	p := &probe{nodes: nodes, load: l}
	for _, n := range nodes {
		p.names = append(p.names, n.Status().Name)
	}
	return p
}

// run revokes n tokens at a fixed rate, whatever the answers take.
func (p *probe) run(ctx context.Context, n int) (curve, error) {
	tokens := make([]rescind.Token, n)
	for i := range tokens {
		tokens[i] = rescind.Token{Issuer: issuer, ID: p.name("token", p.next), Session: p.name("session", p.next), Subject: p.name("user", p.next)}
		p.next++
	}
	rec := newRecorder(n, len(p.nodes)-1, p.load.giveUp)
	stops, start := make([]func(), n*len(p.nodes)), time.Now()
	started, err := pace(ctx, p.load.rate, n, func(i int, _ time.Time) {
		origin, called := i%len(p.nodes), new(atomic.Int64)
		for k, node := range p.nodes {
			if k != origin {
				stops[i*len(p.nodes)+k] = p.await(node, &tokens[i], func() { rec.arrived(i, k, time.Since(start)-time.Duration(called.Load())) })
			}
		}
		called.Store(int64(time.Since(start)))
		p.note(p.revoke(ctx, i, tokens[i]))
	})
	if started == n {
		rec.await()
	}
	for _, stop := range stops {
		if stop != nil {
			stop()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return rec.curve(started), errors.Join(err, p.errs)
}

// name returns an identifier of the length that was asked for, where it fits.
func (p *probe) name(what string, i int) string {
	name := fmt.Sprint(what, "-", i)
	return name + strings.Repeat(".", max(0, p.load.idBytes-len(name)))
}

// revoke revokes the i-th token of a run on one of the nodes.
func (p *probe) revoke(ctx context.Context, i int, t rescind.Token) error {
	ack := rescind.AckLocal
	if p.acked != nil {
		ack = rescind.AckAll
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.load.giveUp)
		defer cancel()
	}
	receipt, err := p.nodes[i%len(p.nodes)].Revoke(ctx, rescind.Revocation{Key: p.load.scopes.key(i, t)}, ack)
	if p.acked != nil {
		for _, a := range receipt.Acknowledged {
			p.acked.arrived(i, slices.Index(p.names, a.Node), a.After)
		}
		if errors.Is(err, rescind.ErrUnconfirmed) {
			err = nil // who is missing counts as lost
		}
	}
	return err
}

// await calls refused when node's checks refuse t. It is told by the node
// rather than asking every few microseconds, which would take from the nodes a
// good part of a processor; a check then says whether it is true. What that adds
// to the window is one change of goroutine.
func (p *probe) await(node *cluster.Node, t *rescind.Token, refused func()) (stop func()) {
	return node.WatchToken(*t, func() {
		if node.Check(*t) != rescind.Revoked {
			p.note(fmt.Errorf("a node said that %s is revoked, and does not refuse it", t.ID))
			return
		}
		refused()
	})
}

func (p *probe) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = errors.Join(p.errs, err)
}

func revoke(ctx context.Context, n *cluster.Node, t rescind.Token) error {
	key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: t.Issuer, ID: t.ID}
	_, err := n.Revoke(ctx, rescind.Revocation{Key: key}, rescind.AckLocal)
	return err
}

// shareRuntime gives the nodes that share this process what each would have
// apart: an fsync keeps one of Go's processors until the runtime takes it back,
// which in an idle process takes it up to 10 ms, and nothing else would run on it.
// The rivals get them too.
func shareRuntime(nodes int) { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + nodes) }
