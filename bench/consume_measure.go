package main

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
	"rescind/cluster"
	"rescind/gossip/carrier"
)

// oneTime returns a token that lives long enough for a measurement.
func oneTime(id string) rescind.Token {
	now := time.Now()
	return rescind.Token{
		Issuer: verifyIssuer, ID: id, Subject: "ada",
		IssuedAt: rescind.MillisOf(now), ExpiresAt: rescind.MillisOf(now.Add(time.Hour)),
	}
}

// measureDoubles uses tokens on two nodes, a gap apart.
func measureDoubles(ctx context.Context, dir string, s consumeSettings) (all []doubleResult, err error) {
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
		if err := until(ctx, func() bool { return n.Staleness().Known && len(n.Status().Members) == 1 }); err != nil {
			return nil, fmt.Errorf("wait until the nodes know each other: %w", err)
		}
	}
	for _, gap := range gaps {
		r, err := doublesAt(ctx, nodes, gap, s.pairs)
		if err != nil {
			return nil, fmt.Errorf("gap of %v: %w", gap, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// doublesAt measures one gap, and whether the nodes find out every double use.
func doublesAt(ctx context.Context, nodes []*cluster.Node, gap time.Duration, pairs int) (doubleResult, error) {
	r := doubleResult{gap: gap, pairs: pairs}
	before := foundOut(nodes)
	var measured []time.Duration
	for i := range pairs {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		twice, apart, err := usePair(ctx, nodes[i%2], nodes[1-i%2], fmt.Sprint(gap, " ", i), gap)
		if err != nil {
			return r, err
		}
		if twice {
			r.doubles++
		}
		measured = append(measured, apart)
	}
	slices.Sort(measured)
	r.gapP50, r.gapP99 = measured[len(measured)/2], measured[len(measured)*99/100]
	err := until(ctx, func() bool { return foundOut(nodes)-before >= r.doubles })
	r.detected = foundOut(nodes) - before
	if err != nil {
		return r, fmt.Errorf("%d double uses, of which only %d were found out: %w", r.doubles, r.detected, err)
	}
	return r, nil
}

// foundOut counts the double uses that the nodes have found out.
func foundOut(nodes []*cluster.Node) (count int) {
	for _, n := range nodes {
		count += int(n.Status().Counters.DoubleUses)
	}
	return count
}

// usePair uses one token on both nodes, the second time a gap after the first has
// begun. It spins, because a timer is not that exact, and yields, because the
// nodes need the processors.
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
func measureRate(ctx context.Context, dir string, buckets int, s consumeSettings) (r rate, err error) {
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

// until polls until ok, for ten seconds.
func until(ctx context.Context, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
