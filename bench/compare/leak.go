package compare

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"rescind/bench/apitoken"
	"rescind/bench/oracle"
	"rescind/bench/pace"
)

const (
	leakRate  = 40                    // log-outs a second, of each subject
	leakEvery = 10 * time.Millisecond // how often each API of each subject is asked meanwhile
)

// leakResult is what became of tokens that were logged out while checks ran.
type leakResult struct {
	tokens   int // logged out
	leaked   int // of them, accepted longer after the log-out than the window
	live     int // never logged out
	refused  int // of them, refused
	withheld int // answers that were neither
}

// measureLeaks logs tokens out at both APIs of every subject and checks at both,
// all subjects at once: that is about answers and not about speed.
func (c *comparison) measureLeaks(ctx context.Context) error {
	trials := make([]*leakTrial, len(c.subjects))
	for i, s := range c.subjects {
		t, err := newLeakTrial(s, c.pool, c.window, int(leakRate*c.leak.Seconds()))
		if err != nil {
			return err
		}
		trials[i] = t
	}
	errs := make([]error, len(trials))
	var running sync.WaitGroup
	for i, t := range trials {
		running.Go(func() {
			if err := t.run(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", t.subject.name, err)
			}
		})
	}
	running.Wait()
	for _, t := range trials {
		t.subject.leaks = t.result()
	}
	return errors.Join(errs...)
}

// leakTrial is one subject's.
type leakTrial struct {
	subject *contender
	window  time.Duration
	clock   oracle.Clock
	all     []*watchedToken // those to be logged out come first
	logouts int
	ended   atomic.Int64 // how many have been logged out
}

// watchedToken is a token, what the oracle knows of it, and what went wrong.
type watchedToken struct {
	*apitoken.Token
	end    oracle.End
	truth  oracle.Token
	wrongs [5]atomic.Bool // by oracle.Verdict
}

func newLeakTrial(s *contender, p *apitoken.Pool, window time.Duration, logouts int) (*leakTrial, error) {
	tokens, err := p.Fresh(logouts + logouts/4)
	if err != nil {
		return nil, err
	}
	t := &leakTrial{subject: s, window: window, clock: oracle.NewClock(), logouts: logouts}
	for _, raw := range tokens {
		w := &watchedToken{Token: raw}
		w.truth.Ends = []*oracle.End{&w.end}
		t.all = append(t.all, w)
	}
	return t, nil
}

func (t *leakTrial) run(ctx context.Context) error {
	checking, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	defer running.Wait()
	for i := range t.subject.apis {
		running.Go(func() { t.checkUntil(checking, i) })
	}
	errs := make([]error, t.logouts)
	_, err := pace.Calls(ctx, leakRate, t.logouts, func(i int, _ time.Time) { errs[i] = t.logOut(ctx, i) })
	stop()
	running.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	select { // the last log-out is to be older than the window as well
	case <-time.After(t.window + 10*time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	for i := range t.subject.apis {
		for _, w := range t.all {
			t.check(ctx, i, w)
		}
	}
	return nil
}

// logOut logs one token out at one of the APIs.
func (t *leakTrial) logOut(ctx context.Context, i int) error {
	w := t.all[i]
	w.end.Call(t.clock.Now())
	if err := t.subject.apis[i%2].revoke(ctx, w.Token); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	w.end.Ack(t.clock.Now())
	t.ended.Add(1)
	return nil
}

// checkUntil asks one API about tokens that are logged out and others.
func (t *leakTrial) checkUntil(ctx context.Context, node int) {
	each := time.NewTicker(leakEvery)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
		}
		w := t.all[rand.N(len(t.all))]
		if n := int(t.ended.Load()); n > 0 && rand.N(2) == 0 {
			w = t.all[rand.N(n)]
		}
		t.check(ctx, node, w)
	}
}

func (t *leakTrial) check(ctx context.Context, node int, w *watchedToken) {
	a := oracle.Answer{Node: node, Asked: t.clock.Now()}
	err := t.subject.apis[node].check(ctx, w.Token)
	a.Answered = t.clock.Now()
	if ctx.Err() != nil {
		return // cut short by us
	}
	switch {
	case err == nil:
		a.Status = http.StatusOK
	case errors.Is(err, errRevokedToken):
		a.Status = http.StatusUnauthorized
	}
	w.wrongs[w.truth.Judge(a, t.window)].Store(true)
}

func (t *leakTrial) result() leakResult {
	r := leakResult{tokens: t.logouts, live: len(t.all) - t.logouts}
	for _, w := range t.all {
		if w.wrongs[oracle.Accepted].Load() || w.wrongs[oracle.Returned].Load() {
			r.leaked++
		}
		if w.wrongs[oracle.Refused].Load() {
			r.refused++
		}
		if w.wrongs[oracle.Withheld].Load() {
			r.withheld++
		}
	}
	return r
}
