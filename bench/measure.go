package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"rescind"
	"rescind/cluster"
)

const (
	issuer = "https://bench.rescind.invalid"

	// pollEvery is how often a node is asked about a token: often enough for
	// the resolution, seldom enough to leave the machine to the nodes.
	pollEvery = 20 * time.Microsecond
)

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
}

// run revokes n tokens at a fixed rate, whatever the answers take.
func (p *probe) run(ctx context.Context, rate, n int, giveUp time.Duration) (curve, error) {
	tokens := make([]rescind.Token, n)
	for i := range tokens {
		tokens[i] = rescind.Token{Issuer: issuer, ID: fmt.Sprint("token-", p.next)}
		p.next++
	}
	rec := newRecorder(n, len(p.nodes)-1, giveUp)
	w := &watcher{rec: rec, feed: make(chan pending, n*len(p.nodes))} // feeding never blocks
	var watching sync.WaitGroup
	var clockErr error
	watching.Go(func() { clockErr = w.run() })
	var mu sync.Mutex // guards errs
	var errs error
	started, err := pace(ctx, rate, n, func(i int, _ time.Time) {
		origin := i % len(p.nodes)
		called := time.Now()
		for k, node := range p.nodes {
			if k != origin {
				w.feed <- pending{sample: i, called: called, node: node, token: &tokens[i]}
			}
		}
		if err := revoke(ctx, p.nodes[origin], tokens[i]); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = errors.Join(errs, err)
		}
	})
	close(w.feed)
	watching.Wait()
	return rec.curve(started), errors.Join(err, errs, clockErr)
}

func revoke(ctx context.Context, n *cluster.Node, t rescind.Token) error {
	key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: t.Issuer, ID: t.ID}
	_, err := n.Revoke(ctx, rescind.Revocation{Key: key}, rescind.AckLocal)
	return err
}

// pending is a token that a node does not refuse yet.
type pending struct {
	sample int
	called time.Time
	node   *cluster.Node
	token  *rescind.Token
}

// watcher asks nodes about tokens until each is refused.
type watcher struct {
	rec  *recorder
	feed chan pending // closed after the last
	open []pending
}

// run returns when the feed has ended and nothing is open.
func (w *watcher) run() error {
	clock, err := newNapper()
	if err != nil {
		return err
	}
	defer clock.close()
	for more := true; more || len(w.open) > 0; {
		if more = w.take(more); len(w.open) == 0 {
			continue
		}
		w.open = slices.DeleteFunc(w.open, func(p pending) bool {
			if p.node.Check(*p.token) == rescind.Revoked {
				w.rec.arrived(p.sample, time.Since(p.called))
				return true
			}
			return time.Since(p.called) > w.rec.giveUp
		})
		clock.nap(pollEvery)
	}
	return nil
}

// take opens what has been fed, and waits for it only if nothing is open. It
// reports whether there may be more.
func (w *watcher) take(more bool) bool {
	for more {
		if len(w.open) == 0 {
			p, ok := <-w.feed
			if !ok {
				return false
			}
			w.open = append(w.open, p)
			continue
		}
		select {
		case p, ok := <-w.feed:
			if !ok {
				return false
			}
			w.open = append(w.open, p)
		default:
			return true
		}
	}
	return false
}
