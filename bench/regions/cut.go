package regions

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/bench/link"
	"rescind/bench/pace"
	"rescind/bench/window"
	"rescind/cluster"
)

// cut is a way for a link to fail.
type cut struct {
	name, figure string
	begin        func(*link.Link)
}

var cuts = []cut{
	{"nothing passes, and nobody is told", "silent", (*link.Link).Silence},
	{"connections end, and new ones are refused", "broken", (*link.Link).Break},
}

const (
	outageBefore = time.Second     // revoking before the cut
	outageAfter  = 2 * time.Second // and after it
	sampleEvery  = 20 * time.Millisecond
	catchUp      = 60 * time.Second // when what has not arrived counts as lost
)

// outage is the link cut once, under a steady load. All times are since start.
type outage struct {
	*regions
	start        time.Time
	began, ended time.Duration

	tokens  []rescind.Token
	acked   []atomic.Int64   // when Revoke had returned; 0: not yet
	arrived [][]atomic.Int64 // by token, then node; 0: not yet
	left    atomic.Int64     // arrivals that are missing
	all     chan struct{}    // closed when none is

	samples []sample
	carried int64 // bytes over all links from the mending until all was there
}

// sample is what every node claimed at one moment.
type sample struct {
	from, to time.Duration // the moment lies between
	claimed  []float64     // seconds; infinite where no bound can be stated
}

// outage cuts the last region's link while revocations go on everywhere.
func (p *run) outage(ctx context.Context, r *regions, how cut) error {
	o := newOutage(r, p.Rate, outageBefore+p.cut+outageAfter)
	ctx, cancel := context.WithCancel(ctx)
	var watching, cutting sync.WaitGroup
	defer watching.Wait()
	defer cutting.Wait()
	defer cancel()
	watching.Go(func() { o.watch(ctx) })
	cutting.Go(func() { o.cut(ctx, how, p.cut) })
	stops, err := o.revoke(ctx, p.Rate)
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	if err != nil {
		return err
	}
	cutting.Wait()
	timeout := time.NewTimer(catchUp)
	defer timeout.Stop()
	select {
	case <-o.all:
	case <-timeout.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	o.carried += r.crossed()
	p.calm(ctx, o)
	cancel()
	watching.Wait()
	return p.showOutage(o, how)
}

// cut cuts the last region's link and mends it.
func (o *outage) cut(ctx context.Context, how cut, d time.Duration) {
	last := o.links[len(o.links)-1]
	await := func(at time.Duration) {
		timer := time.NewTimer(time.Until(o.start.Add(at)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	await(outageBefore)
	how.begin(last)
	o.began = time.Since(o.start)
	await(outageBefore + d)
	last.Mend()
	o.ended = time.Since(o.start)
	o.carried = -o.crossed()
}

// calm waits until claims are usual again, so that the samples show when.
func (p *run) calm(ctx context.Context, o *outage) {
	end := time.Now().Add(catchUp)
	for time.Now().Before(end) && ctx.Err() == nil {
		if !slices.ContainsFunc(o.nodes, func(n *cluster.Node) bool { return claim(n) > p.usual() }) {
			break
		}
		time.Sleep(sampleEvery)
	}
	time.Sleep(2 * sampleEvery)
}

// usual is the most, in seconds, that a node claims in good times, and then
// some: beats every 250 ms, a way there and back, and a busy machine.
func (p *run) usual() float64 { return 1 + 4*p.delay.Seconds() }

func claim(n *cluster.Node) float64 {
	if s := n.Staleness(); s.Known {
		return s.Bound.Seconds()
	}
	return math.Inf(1)
}

func newOutage(r *regions, rate int, d time.Duration) *outage {
	n := int(float64(rate) * d.Seconds())
	o := &outage{regions: r, start: time.Now(), tokens: make([]rescind.Token, n), acked: make([]atomic.Int64, n), arrived: make([][]atomic.Int64, n), all: make(chan struct{})}
	for i := range o.tokens {
		o.tokens[i] = rescind.Token{Issuer: window.Issuer, ID: fmt.Sprint("outage-", i)}
		o.arrived[i] = make([]atomic.Int64, len(r.nodes))
	}
	o.left.Store(int64(n * (len(r.nodes) - 1)))
	return o
}

// revoke revokes all tokens, on one node after the other.
func (o *outage) revoke(ctx context.Context, rate int) (stops []func(), err error) {
	var failed atomic.Pointer[error]
	stops = make([]func(), 0, len(o.tokens)*len(o.nodes))
	var mu sync.Mutex // guards stops
	_, err = pace.Calls(ctx, rate, len(o.tokens), func(i int, _ time.Time) {
		origin := i % len(o.nodes)
		for k, node := range o.nodes {
			if k == origin {
				continue
			}
			stop := node.WatchToken(o.tokens[i], func() { o.arrive(i, k) })
			mu.Lock()
			stops = append(stops, stop)
			mu.Unlock()
		}
		if err := window.Revoke(ctx, o.nodes[origin], o.tokens[i]); err != nil {
			failed.CompareAndSwap(nil, &err)
			return
		}
		o.acked[i].Store(int64(time.Since(o.start)))
	})
	if first := failed.Load(); first != nil {
		err = *first
	}
	return stops, err
}

func (o *outage) arrive(i, k int) {
	if o.nodes[k].Check(o.tokens[i]) != rescind.Revoked || !o.arrived[i][k].CompareAndSwap(0, int64(time.Since(o.start))) {
		return // not refused: it counts as lost
	}
	if o.left.Add(-1) == 0 {
		close(o.all)
	}
}

// watch notes what nodes claim until ctx ends.
func (o *outage) watch(ctx context.Context) {
	every := time.NewTicker(sampleEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		s := sample{from: time.Since(o.start)}
		for _, n := range o.nodes {
			s.claimed = append(s.claimed, claim(n))
		}
		s.to = time.Since(o.start)
		o.samples = append(o.samples, s)
	}
}

// behind returns by how much node k was behind at a moment, in seconds: since
// when a revocation had been acknowledged that did not get there before missing.
func (o *outage) behind(k int, at, missing time.Duration) float64 {
	oldest := at
	for i := range o.tokens {
		if i%len(o.nodes) == k {
			continue
		}
		acked, arrived := time.Duration(o.acked[i].Load()), time.Duration(o.arrived[i][k].Load())
		if acked > 0 && acked < oldest && (arrived == 0 || arrived > missing) {
			oldest = acked
		}
	}
	return (at - oldest).Seconds()
}

// equal returns how long after the mending every node refused all that had been
// acknowledged before it, and the longest that claims took to be usual again.
func (o *outage) equal(usual float64) (equal, claims time.Duration) {
	for i := range o.tokens {
		if acked := time.Duration(o.acked[i].Load()); acked == 0 || acked > o.ended {
			continue
		}
		for k := range o.nodes {
			equal = max(equal, time.Duration(o.arrived[i][k].Load())-o.ended)
		}
	}
	for _, s := range o.samples {
		if slices.Max(s.claimed) > usual {
			claims = max(claims, s.to-o.ended)
		}
	}
	return equal, claims
}
