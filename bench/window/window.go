// Package window measures the propagation window of clusters in this process: a Group
// of nodes, a Probe that revokes and watches, and the Curve that comes of it.
package window

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
	"rescind/bench/pace"
	"rescind/bench/stats"
	"rescind/cluster"
)

// Issuer is that of the tokens.
const Issuer = "https://bench.rescind.invalid"

// Load is one measurement of the window.
type Load struct {
	Nodes    int
	Rate     int // per second, on one node after the other
	Duration time.Duration
	WarmUp   time.Duration
	GiveUp   time.Duration // when a sample counts as lost
	Scopes   Mix
	IDBytes  int // length of the identifiers
}

// Count returns how many revocations there are in d, at least one.
func (l Load) Count(d time.Duration) int { return max(1, int(float64(l.Rate)*d.Seconds())) }

// Measure runs a fresh cluster with one set of carriers and measures from
// the call of Revoke on one node to the refusal by Check on every other.
func Measure(ctx context.Context, carriers string, l Load) (c Curve, err error) {
	err = With(ctx, Group{Carriers: carriers, Nodes: l.Nodes}, func(nodes []*cluster.Node) error {
		p := NewProbe(nodes, l)
		if _, err := p.Run(ctx, l.Count(l.WarmUp)); err != nil {
			return err
		}
		before := firstBy(nodes)
		c, err = p.Run(ctx, l.Count(l.Duration))
		for i, n := range firstBy(nodes) {
			c.FirstBy[i] = n - before[i]
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

// ClusterKey is the cluster's: what crosses the network is encrypted, as it is off loopback.
var ClusterKey = []byte("0123456789abcdef0123456789abcdef")

// Group describes a cluster in this process.
type Group struct {
	Carriers string // gossip, nats or both
	Nodes    int

	// Detour, if not nil, returns what node i is told in place of the NATS
	// server's URL.
	Detour func(i int, url string) (string, error)
}

// With runs f with a fresh cluster that has formed.
func With(ctx context.Context, g Group, f func([]*cluster.Node) error) (err error) {
	dir, err := os.MkdirTemp("", "rescind-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	nodes, err := g.Start(dir)
	defer func() { err = errors.Join(err, CloseAll(nodes)) }()
	if err != nil {
		return err
	}
	if err := Await(ctx, nodes); err != nil {
		return err
	}
	return f(nodes)
}

// CloseAll closes all at once, but the first, which may run the NATS server,
// after the others.
func CloseAll(nodes []*cluster.Node) error {
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

// Start starts the nodes, whose data go into dir. Where it errs the caller closes
// those that it returns.
func (g Group) Start(dir string) ([]*cluster.Node, error) {
	var nodes []*cluster.Node
	for i := range g.Nodes {
		node, err := g.startOne(dir, i, nodes)
		if err != nil {
			return nodes, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

func (g Group) startOne(dir string, i int, nodes []*cluster.Node) (*cluster.Node, error) {
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
func (g Group) config(i int, nodes []*cluster.Node) (cluster.Config, error) {
	cfg := cluster.Config{Cluster: "bench", Name: fmt.Sprint("n", i), Key: ClusterKey, Logger: slog.New(slog.DiscardHandler)}
	gossip, nats := g.Carriers == "gossip" || g.Carriers == "both", g.Carriers == "nats" || g.Carriers == "both"
	if !gossip && !nats {
		return cfg, fmt.Errorf("there is no carrier %q; use gossip, nats or both", g.Carriers)
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
		if g.Detour != nil {
			var err error
			if url, err = g.Detour(i, url); err != nil {
				return cfg, err
			}
		}
		cfg.NATS = &cluster.NATS{URL: url}
	}
	return cfg, nil
}

// Await waits until every node is ready and has measured its staleness
// against all others.
func Await(ctx context.Context, nodes []*cluster.Node) error {
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

// Probe revokes tokens and watches every other node for the first refusal.
type Probe struct {
	nodes []*cluster.Node
	names []string
	load  Load
	next  int // number of the next token

	// Acked, if not nil, is told when another node has said that it holds a
	// revocation durably. Every revocation then waits for all.
	Acked *Recorder

	mu   sync.Mutex // guards errs
	errs error
}

// NewProbe is for nodes that have formed a cluster.
func NewProbe(nodes []*cluster.Node, l Load) *Probe {
	p := &Probe{nodes: nodes, load: l}
	for _, n := range nodes {
		p.names = append(p.names, n.Status().Name)
	}
	return p
}

// Run revokes n tokens at a fixed rate, whatever the answers take.
func (p *Probe) Run(ctx context.Context, n int) (Curve, error) {
	tokens := make([]rescind.Token, n)
	for i := range tokens {
		tokens[i] = rescind.Token{Issuer: Issuer, ID: p.name("token", p.next), Session: p.name("session", p.next), Subject: p.name("user", p.next)}
		p.next++
	}
	rec := NewRecorder(n, len(p.nodes)-1, p.load.GiveUp)
	stops, behind, start := make([]func(), n*len(p.nodes)), make([]float64, n), time.Now()
	started, err := pace.Calls(ctx, p.load.Rate, n, func(i int, due time.Time) {
		origin, called := i%len(p.nodes), new(atomic.Int64)
		for k, node := range p.nodes {
			if k != origin {
				stops[i*len(p.nodes)+k] = p.Await(node, &tokens[i], func() { rec.Arrived(i, k, time.Since(start)-time.Duration(called.Load())) })
			}
		}
		behind[i] = stats.Millis(time.Since(due))
		called.Store(int64(time.Since(start)))
		p.note(p.revoke(ctx, i, tokens[i]))
	})
	if started == n {
		rec.Await()
	}
	for _, stop := range stops {
		if stop != nil {
			stop()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := rec.Curve(started)
	c.Behind = behind[:started]
	return c, errors.Join(err, p.errs)
}

// name returns an identifier of the length that was asked for, where it fits.
func (p *Probe) name(what string, i int) string {
	name := fmt.Sprint(what, "-", i)
	return name + strings.Repeat(".", max(0, p.load.IDBytes-len(name)))
}

// revoke revokes the i-th token of a run on one of the nodes.
func (p *Probe) revoke(ctx context.Context, i int, t rescind.Token) error {
	ack := rescind.AckLocal
	if p.Acked != nil {
		ack = rescind.AckAll
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.load.GiveUp)
		defer cancel()
	}
	receipt, err := p.nodes[i%len(p.nodes)].Revoke(ctx, rescind.Revocation{Key: p.load.Scopes.Key(i, t)}, ack)
	if p.Acked != nil {
		for _, a := range receipt.Acknowledged {
			p.Acked.Arrived(i, slices.Index(p.names, a.Node), a.After)
		}
		if errors.Is(err, rescind.ErrUnconfirmed) {
			err = nil // who is missing counts as lost
		}
	}
	return err
}

// Await calls refused when node's checks refuse t. It is told by the node
// rather than asking every few microseconds, which would take from the nodes a
// good part of a processor; a check then says whether it is true. What that adds
// to the window is one change of goroutine.
func (p *Probe) Await(node *cluster.Node, t *rescind.Token, refused func()) (stop func()) {
	return node.WatchToken(*t, func() {
		if node.Check(*t) != rescind.Revoked {
			p.note(fmt.Errorf("a node said that %s is revoked, and does not refuse it", t.ID))
			return
		}
		refused()
	})
}

func (p *Probe) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = errors.Join(p.errs, err)
}

// Revoke revokes t, by its identifier.
func Revoke(ctx context.Context, n *cluster.Node, t rescind.Token) error {
	key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: t.Issuer, ID: t.ID}
	_, err := n.Revoke(ctx, rescind.Revocation{Key: key}, rescind.AckLocal)
	return err
}

// ShareRuntime gives the nodes that share this process what each would have
// apart: an fsync keeps one of Go's processors until the runtime takes it back,
// which in an idle process takes it up to 10 ms, and nothing else would run on it.
// The rivals get them too.
func ShareRuntime(nodes int) { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + nodes) }
