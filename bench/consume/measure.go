package consume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/bench/pace"
	"rescind/cluster"
	"rescind/gossip/carrier"
)

const issuer = "https://issuer.example"

// oneTime returns a token that lives long enough for a measurement.
func oneTime(id string) rescind.Token {
	now := time.Now()
	return rescind.Token{
		Issuer: issuer, ID: id, Subject: "ada",
		IssuedAt: rescind.MillisOf(now), ExpiresAt: rescind.MillisOf(now.Add(time.Hour)),
	}
}

// measureDoubles uses tokens on two nodes, a gap apart.
func measureDoubles(ctx context.Context, dir string, s settings) (all []doubleResult, err error) {
	server, err := carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer server.Shutdown()
	nodes := make([]*cluster.Node, 2)
	for i := range nodes {
		cfg := cluster.Config{
			Name: fmt.Sprint("n", i), DataDir: filepath.Join(dir, fmt.Sprint(i)), Logger: slog.New(slog.DiscardHandler),
			Gossip: &cluster.Gossip{Bind: "127.0.0.1:0"}, NATS: &cluster.NATS{URL: server.ClientURL()},
		}
		if i > 0 {
			cfg.Gossip.Join = []string{nodes[0].GossipAddr()}
		}
		if nodes[i], err = cluster.Start(cfg); err != nil {
			return nil, err
		}
		defer nodes[i].Close()
	}
	for _, n := range nodes {
		if err := pace.Until(ctx, func() bool { return n.Staleness().Known && len(n.Status().Members) == 1 }); err != nil {
			return nil, fmt.Errorf("wait until the nodes know each other: %w", err)
		}
	}
	all = make([]doubleResult, len(gaps))
	for block := range blocks { // interleaved, so that a noisy moment hits all
		for i, gap := range gaps {
			all[i].gap = gap
			if err := all[i].measure(ctx, nodes, block, max(s.pairs/blocks, 1)); err != nil {
				return nil, fmt.Errorf("gap of %v: %w", gap, err)
			}
		}
	}
	for i := range all {
		slices.Sort(all[i].measured)
	}
	return all, nil
}

// blocks is into how many parts the tokens of each gap are split.
const blocks = 20

// measure uses more tokens with the gap of r, and waits until the nodes have
// found out every double use.
func (r *doubleResult) measure(ctx context.Context, nodes []*cluster.Node, block, pairs int) error {
	before, doubles := foundOut(nodes), 0
	for i := range pairs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		twice, apart, err := usePair(ctx, nodes[i%2], nodes[1-i%2], fmt.Sprint(r.gap, " ", block, " ", i), r.gap)
		if err != nil {
			return err
		}
		if twice {
			doubles++
		}
		r.measured = append(r.measured, apart)
	}
	err := pace.Until(ctx, func() bool { return foundOut(nodes)-before >= doubles })
	detected := foundOut(nodes) - before
	r.pairs, r.doubles, r.detected = r.pairs+pairs, r.doubles+doubles, r.detected+detected
	if err != nil {
		return fmt.Errorf("%d double uses, of which only %d were found out: %w", doubles, detected, err)
	}
	return nil
}

// foundOut counts the double uses that the nodes have found out.
func foundOut(nodes []*cluster.Node) (count int) {
	for _, n := range nodes {
		count += int(n.Status().Counters.DoubleUses)
	}
	return count
}

// spin is how long before the second use no timer is trusted any more.
const spin = 300 * time.Microsecond

// usePair uses one token on both nodes, the second time a gap after the first has
// begun. It spins at the end, because a timer is not that exact, and yields,
// because the nodes need the processors.
func usePair(ctx context.Context, first, second *cluster.Node, id string, gap time.Duration) (twice bool, apart time.Duration, err error) {
	token := oneTime(id)
	var began atomic.Int64
	start := time.Now()
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() {
		began.Store(int64(time.Since(start)))
		errs[0] = first.Consume(ctx, token, rescind.Available)
	})
	if gap > 2*spin {
		time.Sleep(gap - spin)
	}
	for began.Load() == 0 || time.Since(start) < time.Duration(began.Load())+gap {
		runtime.Gosched()
	}
	apart = time.Since(start) - time.Duration(began.Load())
	errs[1] = second.Consume(ctx, token, rescind.Available)
	wg.Wait()
	won := 0
	for _, e := range errs {
		switch {
		case e == nil:
			won++
		case !errors.Is(e, rescind.ErrConsumed):
			return false, 0, e
		}
	}
	if won == 0 {
		return false, 0, errors.New("both uses were refused")
	}
	return won == 2, apart, nil
}

// measureRate uses tokens on one node as fast as it can; 0 buckets mean mode
// available.
func measureRate(ctx context.Context, dir string, buckets int, s settings) (r rate, err error) {
	cfg := cluster.Config{Name: "alone", DataDir: dir, Logger: slog.New(slog.DiscardHandler), JoinTimeout: time.Millisecond}
	mode := rescind.Available
	if buckets > 0 {
		mode = rescind.Strict
		cfg.NATS, cfg.OneTime = &cluster.NATS{Embed: "127.0.0.1:0"}, &cluster.OneTime{Buckets: buckets}
	}
	n, err := cluster.Open(ctx, cfg)
	if err != nil {
		return r, err
	}
	defer n.Close()
	for i := range 4 * buckets { // makes the buckets
		if err := n.Consume(ctx, oneTime(fmt.Sprint("warm-up ", i)), mode); err != nil {
			return r, err
		}
	}
	measured, cancel := context.WithTimeout(ctx, s.duration)
	defer cancel()
	took := make([][]time.Duration, s.callers)
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	for c := range s.callers {
		wg.Go(func() {
			for i := 0; measured.Err() == nil; i++ {
				began := time.Now()
				if err := n.Consume(ctx, oneTime(fmt.Sprint(c, " ", i)), mode); err != nil {
					failed.Store(&err)
					return
				}
				took[c] = append(took[c], time.Since(began))
			}
		})
	}
	wg.Wait()
	if e := failed.Load(); e != nil {
		return r, *e
	}
	elapsed := time.Since(start)
	all := slices.Concat(took...)
	slices.Sort(all)
	return rate{buckets, float64(len(all)) / elapsed.Seconds(), all[len(all)/2], all[len(all)*99/100]}, nil
}
