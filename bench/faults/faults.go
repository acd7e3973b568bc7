// Package faults is bench faults: what nodes claim of their staleness over what is
// true, and what checks answer, while processes and networks fail.
package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"rescind/bench/apitoken"
	"rescind/bench/pace"
	"rescind/bench/process"
	"rescind/bench/progress"
	"rescind/bench/report"
)

// settings of one run of bench faults.
type settings struct {
	hold    time.Duration // how long each fault lasts
	calm    time.Duration // before the first
	every   time.Duration // how often each node is looked at
	probes  int           // a second, revoked at each node
	reject  time.Duration // the staleness at which the second node rejects
	recover time.Duration // how long a cluster may take to be equal again
	program string        // rescind
}

// Run draws what nodes claim of their staleness over what is true, while
// things go wrong.
func Run(ctx context.Context, args []string, r *report.Result) (err error) {
	fs := flag.NewFlagSet("faults", flag.ContinueOnError)
	s := settings{calm: 5 * time.Second, recover: 30 * time.Second}
	fs.DurationVar(&s.hold, "hold", 12*time.Second, "how long each fault lasts")
	fs.DurationVar(&s.every, "every", 50*time.Millisecond, "how often each node is asked what it claims, and what it refuses")
	fs.IntVar(&s.probes, "probes", 20, "tokens a second that are revoked at each node")
	fs.DurationVar(&s.reject, "max-staleness", 2*time.Second, "checks.max-staleness of the node that rejects while it is stale")
	fs.StringVar(&s.program, "node-program", "", "the program rescind; empty: beside this one, or built from the sources")
	quick := fs.Bool("quick", false, "short faults, within a minute")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *quick {
		s.hold, s.calm = 5*time.Second, 2*time.Second
	}
	if s.hold < time.Second || s.every <= 0 || s.probes < 1 || s.reject <= 0 {
		return errors.New("use faults of at least 1 s, a time between samples, 1 probe a second and a staleness")
	}
	r.Settings("hold", s.hold.String(), "every", s.every.String(), "probes", s.probes, "max-staleness", s.reject.String(), "nodes", faultNodes)
	dir, err := os.MkdirTemp("", "rescind-faults-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := process.NodeProgram(ctx, s.program, dir)
	if err != nil {
		return err
	}
	pool, err := apitoken.NewPool("ES256")
	if err != nil {
		return err
	}
	files, err := process.NewNodeFiles(program, dir, apitoken.Issuer, apitoken.Audience, pool.Alg, pool.JWKS)
	if err != nil {
		return err
	}
	site, missing, err := startSite(ctx, files, s.reject, s.hold+10*time.Second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	run, err := newRun(s, site, pool)
	if err != nil {
		return err
	}
	if err := run.all(ctx); err != nil {
		return err
	}
	return run.print(os.Stdout, r, missing)
}

// fault is one thing that goes wrong for a while.
type fault struct {
	key, name string
	begin     func(*site) error
	end       func(context.Context, *site) error
	links     bool // it needs a network of namespaces
}

var script = []fault{
	{"killed", "n1 and n2 killed", func(s *site) error {
		s.nodes[serving].Kill()
		s.nodes[rejecting].Kill()
		return nil
	}, func(_ context.Context, s *site) error {
		return errors.Join(s.startNode(serving), s.startNode(rejecting))
	}, false},
	{"paused", "n1 and n2 paused (SIGSTOP)", func(s *site) error {
		return errors.Join(s.nodes[serving].Pause(), s.nodes[rejecting].Pause())
	}, func(_ context.Context, s *site) error {
		return errors.Join(s.nodes[serving].Continue(), s.nodes[rejecting].Continue())
	}, false},
	{"parted", "n1 and n2 cut off, each by itself", func(s *site) error {
		return s.part(serving, rejecting)
	}, func(_ context.Context, s *site) error {
		return s.hosts.Heal()
	}, true},
	{"nats", "NATS killed", func(s *site) error {
		s.broker.Kill()
		return nil
	}, func(ctx context.Context, s *site) error {
		return s.startNATS(ctx)
	}, false},
}

// drive makes one fault after the other and waits after each until the nodes are
// equal again.
func (r *faultRun) drive(ctx context.Context, bar *progress.Bar) error {
	bar.Step(r.calm.Seconds(), "calm")
	r.enter(phaseCalm)
	pace.Pause(ctx, r.calm)
	for _, f := range script {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.links && r.site.hosts == nil {
			continue
		}
		bar.Step(r.hold.Seconds()+2, "%s", f.name)
		r.enter(f.key)
		began := r.watch.clock.Now()
		if err := f.begin(r.site); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		pace.Pause(ctx, r.hold)
		ended := r.watch.clock.Now()
		r.enter(phaseAfter)
		if err := f.end(ctx, r.site); err != nil {
			return fmt.Errorf("put right: %s: %w", f.name, err)
		}
		p := period{fault: f, from: began, to: ended}
		if err := r.recovered(ctx, &p); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		r.periods = append(r.periods, p)
		r.enter(phaseCalm)
		pace.Pause(ctx, r.calm/2)
	}
	return ctx.Err()
}

// recovered waits until every node refuses whatever had been acknowledged when the
// fault ended, and until every node says again that it is hardly behind.
func (r *faultRun) recovered(ctx context.Context, p *period) error {
	ctx, cancel := context.WithTimeout(ctx, r.recover)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for p.equal == 0 || p.said == 0 {
		now := r.watch.clock.Now()
		if p.equal == 0 && r.watch.caughtUp(p.to) {
			p.equal = now
		}
		if p.said == 0 && r.allFresh(p.to) {
			p.said = now
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("the nodes are not equal again after %v", r.recover)
		}
	}
	return nil
}
