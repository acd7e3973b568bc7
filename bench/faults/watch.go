package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"rescind/bench/lag"
	"rescind/bench/oracle"
)

// observed is a node as an observer sees it.
type observed interface {
	// claims returns what it says of its staleness against each member that it
	// lists, by name, and against all of them together.
	claims(ctx context.Context) (each map[string]lag.Claim, all lag.Claim, err error)

	// check returns the status of a check, 0 if there was no answer.
	check(ctx context.Context, token string) int
}

// observer revokes probes at every node and watches every other for them.
type observer struct {
	nodes  []observed
	names  []string
	clock  oracle.Clock
	live   string // a token that nobody revokes
	phase  func() string
	sample func(sampled) // is told of every sample; called by several at once

	streams []*lag.Stream    // by node
	seen    [][]*lag.Witness // by node, then stream

	mu      sync.Mutex // guards answers
	answers map[answerKey]int
}

// sampled is what one look at one node brought.
type sampled struct {
	node    int
	at      time.Duration
	moments map[int]lag.Moment // by the node that it is about
	all     lag.Moment         // what it says of all, and the worst of the truth
	whole   bool               // it answered everything, and all is complete
}

// answerKey says what a check was about and what it answered.
type answerKey struct {
	phase   string
	node    int
	revoked bool
	status  int
}

func newObserver(nodes []observed, names []string, live string, phase func() string, sample func(sampled)) *observer {
	o := &observer{nodes: nodes, names: names, clock: oracle.NewClock(), live: live, phase: phase, sample: sample, answers: map[answerKey]int{}}
	for range nodes {
		o.streams = append(o.streams, new(lag.Stream))
	}
	for range nodes {
		var row []*lag.Witness
		for k := range nodes {
			row = append(row, lag.NewWitness(o.streams[k]))
		}
		o.seen = append(o.seen, row)
	}
	return o
}

// run looks at every node at every tick, whatever the answers take, until ctx ends.
// A node that hangs is asked all the same: what it says when it wakes was asked
// for just before.
func (o *observer) run(ctx context.Context, every time.Duration) {
	var looks sync.WaitGroup
	defer looks.Wait()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			for i := range o.nodes {
				looks.Go(func() { o.look(ctx, i) })
			}
		}
	}
}

// look takes one sample of one node.
func (o *observer) look(ctx context.Context, i int) {
	phase := o.phase()
	asked := o.clock.Now()
	each, all, err := o.nodes[i].claims(ctx)
	answered := o.clock.Now()
	s := sampled{node: i, at: answered, moments: map[int]lag.Moment{}, whole: err == nil}
	if err == nil {
		stamp := func(c lag.Claim) lag.Claim {
			c.Asked, c.Answered = asked, answered
			return c
		}
		s.all.Claim = stamp(all)
		for k, name := range o.names {
			claim, listed := each[name]
			if k == i || !listed {
				continue
			}
			m, ok := o.seen[i][k].Compare(stamp(claim), o.clock.Now, func(p lag.Probe) lag.Answer { return answerOf(o.nodes[i].check(ctx, p.Token)) })
			if !ok {
				s.whole = false
				continue
			}
			s.moments[k] = m
			s.all.True, s.all.Slack = max(s.all.True, m.True), max(s.all.Slack, m.Slack)
		}
	}
	o.userChecks(ctx, i, phase)
	if ctx.Err() == nil {
		o.sample(s)
	}
}

func answerOf(status int) lag.Answer {
	switch status {
	case 0:
		return lag.NoAnswer
	case http.StatusUnauthorized:
		return lag.Refuses
	default:
		return lag.Not // a token that is known to be revoked is 401 whatever else is wrong
	}
}

// patient is how long a user waits for an answer.
const patient = time.Second

// lately is how old a log-out is at the most that users are asked about.
const lately = 5 * time.Second

// userChecks asks as a user would: about a live token, and about one that was
// revoked lately somewhere else.
func (o *observer) userChecks(ctx context.Context, i int, phase string) {
	o.count(ctx, answerKey{phase: phase, node: i}, o.live)
	k := (i + 1 + rand.N(len(o.nodes)-1)) % len(o.nodes)
	now := o.clock.Now()
	last, first := o.streams[k].Before(now), o.streams[k].Before(now-lately)
	if last > first {
		p, _ := o.streams[k].At(first + rand.N(last-first))
		o.count(ctx, answerKey{phase: phase, node: i, revoked: true}, p.Token)
	}
}

func (o *observer) count(ctx context.Context, k answerKey, token string) {
	asked := o.clock.Now()
	k.status = o.nodes[k.node].check(ctx, token)
	if ctx.Err() != nil {
		return
	}
	if o.clock.Now()-asked > patient {
		k.status = 0 // the user has gone
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers[k]++
}

// caughtUp reports whether every node is known to refuse every probe that any other
// had acknowledged by then.
func (o *observer) caughtUp(then time.Duration) bool {
	for i := range o.nodes {
		for k := range o.nodes {
			if i != k && o.seen[i][k].Refused() < o.streams[k].Before(then) {
				return false
			}
		}
	}
	return true
}

// processNode asks a node of a site.
type processNode struct {
	client *http.Client
	addr   string
	admin  string
}

func (p *processNode) claims(ctx context.Context) (each map[string]lag.Claim, all lag.Claim, err error) {
	body, status, err := p.do(ctx, http.MethodGet, "/v1/cluster", p.admin, nil)
	if err != nil {
		return nil, all, err
	}
	var view struct {
		StalenessMS *float64 `json:"staleness_ms"`
		Members     []struct {
			Name        string   `json:"name"`
			State       string   `json:"state"`
			StalenessMS *float64 `json:"staleness_ms"`
		} `json:"members"`
	}
	if status != http.StatusOK {
		return nil, all, fmt.Errorf("status %d", status)
	}
	if err := json.Unmarshal(body, &view); err != nil {
		return nil, all, err
	}
	each = map[string]lag.Claim{}
	for _, m := range view.Members {
		each[m.Name] = claimOf(m.StalenessMS)
	}
	return each, claimOf(view.StalenessMS), nil
}

func claimOf(ms *float64) lag.Claim {
	if ms == nil {
		return lag.Claim{}
	}
	return lag.Claim{Known: true, Bound: time.Duration(*ms * float64(time.Millisecond))}
}

func (p *processNode) check(ctx context.Context, token string) int {
	_, status, err := p.do(ctx, http.MethodGet, "/v1/check", token, nil)
	if err != nil {
		return 0
	}
	return status
}

func (p *processNode) do(ctx context.Context, method, path, bearer string, body io.Reader) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+path, body)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer, resp.StatusCode, err
}
