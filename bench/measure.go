package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
}

func (l load) count(d time.Duration) int { return max(1, int(float64(l.rate)*d.Seconds())) }

// measureWindow runs a fresh cluster with one set of carriers and measures from
// the call of Revoke on one node to the refusal by Check on every other.
func measureWindow(ctx context.Context, carriers string, l load) (c curve, err error) {
	err = withCluster(ctx, group{carriers: carriers, nodes: l.nodes}, func(nodes []*cluster.Node) error {
		p := &probe{nodes: nodes}
		if _, err := p.run(ctx, l.rate, l.count(l.warmUp), l.giveUp); err != nil {
			return err
		}
		c, err = p.run(ctx, l.rate, l.count(l.duration), l.giveUp)
		return err
	})
	return c, err
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
		cfg, err := g.config(i, nodes)
		if err != nil {
			return nodes, err
		}
		cfg.DataDir = filepath.Join(dir, cfg.Name)
		node, err := cluster.Start(cfg)
		if err != nil {
			return nodes, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// config returns that of node i, which joins those that run already.
func (g group) config(i int, nodes []*cluster.Node) (cluster.Config, error) {
	cfg := cluster.Config{Cluster: "bench", Name: fmt.Sprint("n", i), Key: benchKey, Logger: slog.New(slog.DiscardHandler)}
	gossip, nats := g.carriers == "gossip" || g.carriers == "both", g.carriers == "nats" || g.carriers == "both"
	if !gossip && !nats {
		return cfg, fmt.Errorf("there is no carrier %q; use gossip, nats or both", g.carriers)
	}
	if gossip {
		cfg.Gossip = &cluster.Gossip{Bind: "127.0.0.1:0"}
		if i > 0 {
			cfg.Gossip.Join = []string{nodes[0].GossipAddr()}
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
	next  int // number of the next token

	mu   sync.Mutex // guards errs
	errs error
}

// run revokes n tokens at a fixed rate, whatever the answers take.
func (p *probe) run(ctx context.Context, rate, n int, giveUp time.Duration) (curve, error) {
	tokens := make([]rescind.Token, n)
	for i := range tokens {
		tokens[i] = rescind.Token{Issuer: issuer, ID: fmt.Sprint("token-", p.next)}
		p.next++
	}
	rec := newRecorder(n, len(p.nodes)-1, giveUp)
	stops, start := make([]func(), n*len(p.nodes)), time.Now()
	started, err := pace(ctx, rate, n, func(i int, _ time.Time) {
		origin, called := i%len(p.nodes), new(atomic.Int64)
		for k, node := range p.nodes {
			if k != origin {
				stops[i*len(p.nodes)+k] = p.await(node, &tokens[i], func() { rec.arrived(i, time.Since(start)-time.Duration(called.Load())) })
			}
		}
		called.Store(int64(time.Since(start)))
		p.note(revoke(ctx, p.nodes[origin], tokens[i]))
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
