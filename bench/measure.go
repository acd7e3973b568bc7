package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"rescind"
	"rescind/cluster"
)

const (
	issuer = "https://bench.rescind.invalid"

	// pollEvery is how often a node is asked about a token: often enough for
	// the resolution, seldom enough to leave the machine to the nodes.
	pollEvery = 50 * time.Microsecond

	// giveUp is when a sample counts as lost. Lost samples are counted at this
	// value, never dropped.
	giveUp = 10 * time.Second
)

// result is what one round measured, in microseconds.
type result struct {
	each, last *hdrhistogram.Histogram
	lost       int
}

func (r result) hist(to string) *hdrhistogram.Histogram {
	if to == "last" {
		return r.last
	}
	return r.each
}

// at returns a percentile in milliseconds.
func (r result) at(to string, percent float64) float64 {
	return float64(r.hist(to).ValueAtPercentile(percent)) / 1000
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, giveUp.Microseconds()+1, 3)
}

// measure runs a fresh cluster with one set of carriers.
func measure(ctx context.Context, carriers string, s settings) (r result, err error) {
	dir, err := os.MkdirTemp("", "rescind-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	nodes, err := startNodes(ctx, dir, carriers, s.nodes)
	defer func() {
		for _, n := range slices.Backward(nodes) {
			err = errors.Join(err, n.Close())
		}
	}()
	if err != nil {
		return r, err
	}
	p := newProbe(nodes)
	if _, err := p.run(ctx, s.rate, s.warmUp); err != nil {
		return r, err
	}
	return p.run(ctx, s.rate, s.duration)
}

func startNodes(ctx context.Context, dir, carriers string, n int) ([]*cluster.Node, error) {
	gossip, nats := carriers == "gossip" || carriers == "both", carriers == "nats" || carriers == "both"
	if !gossip && !nats {
		return nil, fmt.Errorf("there is no carrier %q; use gossip, nats or both", carriers)
	}
	var nodes []*cluster.Node
	for i := range n {
		cfg := cluster.Config{
			Cluster: "bench", Name: fmt.Sprint("n", i), DataDir: filepath.Join(dir, fmt.Sprint(i)), Logger: slog.New(slog.DiscardHandler),
		}
		if gossip {
			cfg.Gossip = &cluster.Gossip{Bind: "127.0.0.1:0"}
			if i > 0 {
				cfg.Gossip.Join = []string{nodes[0].GossipAddr()}
			}
		}
		if nats {
			cfg.NATS = &cluster.NATS{Embed: "127.0.0.1:0"}
			if i > 0 {
				cfg.NATS = &cluster.NATS{URL: nodes[0].NATSURL()}
			}
		}
		node, err := cluster.Start(cfg)
		if err != nil {
			return nodes, err
		}
		nodes = append(nodes, node)
	}
	for _, node := range nodes {
		if err := awaitMembers(ctx, node, n-1); err != nil {
			return nodes, err
		}
	}
	return nodes, nil
}

// awaitMembers waits until a node is ready and has measured its staleness
// against all others.
func awaitMembers(ctx context.Context, n *cluster.Node, others int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for len(n.Status().Members) < others || !n.Status().Ready || !n.Staleness().Known {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster did not form: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// probe revokes tokens and watches every other node for the first refusal.
type probe struct {
	nodes []*cluster.Node
	next  int // number of the next token
}

// sample is one revocation.
type sample struct {
	token  rescind.Token
	origin int
	called time.Time
	worst  time.Duration
}

func newProbe(nodes []*cluster.Node) *probe { return &probe{nodes: nodes} }

// run revokes at a fixed rate, whatever the answers take (open loop).
func (p *probe) run(ctx context.Context, rate int, d time.Duration) (result, error) {
	r := result{each: newHistogram(), last: newHistogram()}
	n := max(1, int(float64(rate)*d.Seconds()))
	samples := make([]*sample, n)
	feeds := make([]chan *sample, len(p.nodes))
	var mu sync.Mutex // guards r
	var watchers, callers sync.WaitGroup
	for i := range p.nodes {
		feeds[i] = make(chan *sample, n)
		watchers.Go(func() {
			p.watch(i, feeds[i], func(s *sample, took time.Duration, seen bool) {
				mu.Lock()
				defer mu.Unlock()
				_ = r.each.RecordValue(took.Microseconds()) // at most giveUp, which fits
				if !seen {
					r.lost++
				}
				s.worst = max(s.worst, took)
			})
		})
	}
	var errs error
	start := time.Now()
	for i := range samples {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		select {
		case <-ctx.Done():
			errs = ctx.Err()
		case <-time.After(time.Until(due)):
		}
		if errs != nil {
			samples = samples[:i]
			break
		}
		samples[i] = p.sample(i)
		callers.Go(func() {
			if err := p.revoke(ctx, samples[i], feeds); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = errors.Join(errs, err)
			}
		})
	}
	callers.Wait()
	for _, f := range feeds {
		close(f)
	}
	watchers.Wait()
	for _, s := range samples {
		_ = r.last.RecordValue(s.worst.Microseconds())
	}
	return r, errs
}

func (p *probe) sample(i int) *sample {
	p.next++
	return &sample{token: rescind.Token{Issuer: issuer, ID: fmt.Sprint("token-", p.next)}, origin: i % len(p.nodes)}
}

func (p *probe) revoke(ctx context.Context, s *sample, feeds []chan *sample) error {
	s.called = time.Now()
	for i, f := range feeds {
		if i != s.origin {
			f <- s
		}
	}
	key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: s.token.Issuer, ID: s.token.ID}
	_, err := p.nodes[s.origin].Revoke(ctx, rescind.Revocation{Key: key}, rescind.AckLocal)
	return err
}

// watch asks node i about the tokens of its feed until each is refused.
func (p *probe) watch(i int, feed <-chan *sample, seen func(*sample, time.Duration, bool)) {
	var open []*sample
	for more := true; more || len(open) > 0; {
		if len(open) == 0 {
			s, ok := <-feed
			if !ok {
				return
			}
			open = append(open, s)
		}
		for drained := false; more && !drained; {
			select {
			case s, ok := <-feed:
				if more = ok; ok {
					open = append(open, s)
				}
			default:
				drained = true
			}
		}
		open = slices.DeleteFunc(open, func(s *sample) bool {
			took := time.Since(s.called)
			refused := p.nodes[i].Check(s.token) == rescind.Revoked
			if refused || took > giveUp {
				seen(s, min(took, giveUp), refused)
				return true
			}
			return false
		})
		time.Sleep(pollEvery)
	}
}

func values(rs []result, f func(result) float64) []float64 {
	v := make([]float64, len(rs))
	for i, r := range rs {
		v[i] = f(r)
	}
	slices.SortFunc(v, cmp.Compare[float64])
	return v
}

func median(rs []result, f func(result) float64) float64 {
	v := values(rs, f)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func spread(rs []result, f func(result) float64) (low, high float64) {
	v := values(rs, f)
	return v[0], v[len(v)-1]
}

func sum(rs []result, f func(result) int) int {
	n := 0
	for _, r := range rs {
		n += f(r)
	}
	return n
}
