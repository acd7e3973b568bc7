package faults

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"rescind/bench/apitoken"
	"rescind/bench/lag"
	"rescind/bench/pace"
	"rescind/bench/progress"
	"rescind/bench/stats"
)

// Phases besides those of the faults.
const (
	phaseCalm  = "calm"
	phaseAfter = "after" // a fault has been put right, and not everything is equal yet
)

// fresh is how little a node must say that it is behind to have recovered.
const fresh = time.Second

// period is one fault on the observer's clock.
type period struct {
	fault
	from, to    time.Duration
	equal, said time.Duration // when all were equal again, and said that they are hardly behind
}

// faultRun is one run of bench faults.
type faultRun struct {
	settings
	site    *site
	pool    *apitoken.Pool
	watch   *observer
	posts   []*processNode
	periods []period

	mu          sync.Mutex // guards the fields below
	phase       string
	samples     []sampled
	moments     int // claims that were held against the truth
	understated []string
	wrongs      int
	freshAt     [faultNodes]time.Duration // when each last said that it is hardly behind
	slack       []float64                 // ms, of each moment that spans no pause
	failed      int                       // probes that were not acknowledged
}

func newRun(s settings, site *site, pool *apitoken.Pool) (*faultRun, error) {
	live, err := pool.Fresh(1)
	if err != nil {
		return nil, err
	}
	r := &faultRun{settings: s, site: site, pool: pool, phase: phaseCalm}
	var nodes []observed
	for i := range faultNodes {
		n := &processNode{client: site.client[i], addr: site.http[i], admin: site.files.Admin}
		nodes, r.posts = append(nodes, n), append(r.posts, n)
	}
	r.watch = newObserver(nodes, nodeNames[:], live[0].Raw, r.current, r.take)
	return r, nil
}

func (r *faultRun) current() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase
}

func (r *faultRun) enter(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = phase
}

// all revokes and watches while the script runs.
func (r *faultRun) all(ctx context.Context) error {
	total := r.calm.Seconds() + float64(len(script))*(r.hold.Seconds()+2)
	bar := progress.New(os.Stderr, total)
	defer bar.Close()
	if err := pace.Until(ctx, func() bool { return r.asked(ctx) }); err != nil {
		return fmt.Errorf("wait until all nodes know each other: %w", err)
	}
	working, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	for i := range faultNodes {
		work.Go(func() { r.revokeUntil(working, i) })
	}
	work.Go(func() { r.watch.run(working, r.every) })
	err := r.drive(ctx, bar)
	stop()
	work.Wait()
	return err
}

// asked reports whether every node lists all others and knows how far it is behind.
func (r *faultRun) asked(ctx context.Context) bool {
	for _, n := range r.posts {
		each, all, err := n.claims(ctx)
		if err != nil || !all.Known || len(each) < faultNodes-1 {
			return false
		}
	}
	return true
}

// revokeUntil revokes probes at one node, each at its time whatever the answers
// take, until ctx ends.
func (r *faultRun) revokeUntil(ctx context.Context, i int) {
	var calls sync.WaitGroup
	defer calls.Wait()
	t := time.NewTicker(time.Second / time.Duration(r.probes))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			calls.Go(func() { r.revokeOne(ctx, i) })
		}
	}
}

func (r *faultRun) revokeOne(ctx context.Context, i int) {
	r.mu.Lock() // of the pool
	tokens, err := r.pool.Fresh(1)
	r.mu.Unlock()
	if err != nil {
		return // only for a key of the wrong type
	}
	t := tokens[0]
	body := fmt.Appendf(nil, `{"scope":"jti","iss":%q,"id":%q}`, t.Said.Issuer, t.Said.ID)
	p := lag.Probe{Token: t.Raw, Called: r.watch.clock.Now()}
	_, status, err := r.posts[i].do(ctx, http.MethodPost, "/v1/revocations?ack=local", r.posts[i].admin, bytes.NewReader(body))
	if err == nil && status == http.StatusCreated {
		r.watch.streams[i].Add(p, r.watch.clock.Now)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
}

// take keeps a sample and judges it.
func (r *faultRun) take(s sampled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
	for k, m := range s.moments {
		r.judge(m, nodeNames[s.node]+" against "+nodeNames[k])
	}
	if len(s.moments) > 0 {
		r.judge(s.all, nodeNames[s.node]+" against all")
	}
	if s.all.Known && s.all.Bound < fresh {
		r.freshAt[s.node] = max(r.freshAt[s.node], s.all.Asked)
	}
}

// maxUnderstated bounds the words.
const maxUnderstated = 10

// judge counts a moment. The caller holds mu.
func (r *faultRun) judge(m lag.Moment, who string) {
	if !m.Known {
		return
	}
	r.moments++
	if m.Answered-m.Asked <= patient { // else it spans a pause
		r.slack = append(r.slack, stats.Millis(m.Slack))
	}
	if !m.Understated() {
		return
	}
	r.wrongs++
	if len(r.understated) < maxUnderstated {
		r.understated = append(r.understated, fmt.Sprintf("at %.3f s (%s) %s: claims %v, is at least %v behind", m.Asked.Seconds(), r.phase, who, m.Bound, m.True))
	}
}

// allFresh reports whether every node has said since then that it is hardly behind.
func (r *faultRun) allFresh(then time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range r.freshAt {
		if at <= then {
			return false
		}
	}
	return true
}
