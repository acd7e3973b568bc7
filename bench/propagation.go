package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"rescind/bench/report"
)

// The cluster without a broker that the goals speak of.
const (
	largeNodes = 20
	largeRate  = 1000
	// plainRate is what the rival gets: at 1,000 a second its queues only grow.
	plainRate = 20
)

// propagation is one run of bench propagation.
type propagation struct {
	load
	rounds   int
	carriers []string
	rivals   bool
	burst    time.Duration // of 20,000 revocations a second
	drops    int           // messages lost on purpose

	order  []string // of subjects, as in the table
	curves map[string][]curve
}

// runPropagation measures each carrier beside what one would use instead, and
// prints tables.
func runPropagation(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("propagation", flag.ContinueOnError)
	p := &propagation{load: load{giveUp: 10 * time.Second}, curves: map[string][]curve{}}
	fs.IntVar(&p.nodes, "nodes", 5, "nodes in this process")
	fs.IntVar(&p.rate, "rate", 200, "revocations per second in all")
	fs.DurationVar(&p.duration, "duration", 5*time.Second, "how long to measure, each round")
	fs.DurationVar(&p.warmUp, "warm-up", time.Second, "how long to revoke before measuring")
	fs.IntVar(&p.rounds, "rounds", 5, "rounds; the tables show the median of each figure")
	fs.BoolVar(&p.rivals, "rivals", true, "also raw NATS, 20 nodes with and without Rescind, a burst and messages lost on purpose")
	carriers := fs.String("carriers", "gossip,nats,both", "which carriers to measure")
	quick := fs.Bool("quick", false, "three short rounds")
	if err := parse(fs, args, r); err != nil {
		return err
	}
	p.carriers, p.burst, p.drops = strings.Split(*carriers, ","), 10*time.Second, 40
	if *quick {
		p.rounds, p.duration, p.warmUp, p.giveUp, p.burst, p.drops = 3, 1500*time.Millisecond, 500*time.Millisecond, 3*time.Second, 4*time.Second, 15
	}
	if p.nodes < 2 || p.rate < 1 || p.rounds < 1 || p.duration <= 0 {
		return errors.New("use at least 2 nodes, 1 revocation per second, 1 round and a duration")
	}
	// An fsync keeps a processor of Go's until the runtime takes it back. Apart,
	// each node has one such thread; here many share the runtime, and so do the
	// rivals.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	r.Settings("nodes", p.nodes, "rate", p.rate, "duration", p.duration.String(), "rounds", p.rounds)
	return p.all(ctx, r.Figures)
}

// all measures everything and prints it.
func (p *propagation) all(ctx context.Context, figures map[string]float64) error {
	for round := range p.rounds {
		if err := p.round(ctx); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
	}
	p.windows(os.Stdout, figures)
	if p.rivals {
		p.ratios(os.Stdout, figures)
		if err := p.repaired(ctx, os.Stdout, figures); err != nil {
			return err
		}
		for _, carrier := range []string{"nats", "gossip"} {
			if err := p.sustained(ctx, os.Stdout, carrier, figures); err != nil {
				return err
			}
		}
	}
	return nil
}

// round measures every subject once. Rounds are repeated, so that a noisy moment
// hits all.
func (p *propagation) round(ctx context.Context) error {
	large := p.load
	large.nodes, large.rate = largeNodes, largeRate
	plain := large
	plain.rate = plainRate
	small := fmt.Sprint(".n", p.nodes)
	for _, c := range p.carriers {
		if err := p.subject(c+small, func() (curve, error) { return measureWindow(ctx, c, p.load) }); err != nil {
			return err
		}
	}
	if !p.rivals {
		return nil
	}
	return errors.Join(
		p.subject("raw_nats"+small, func() (curve, error) { return measureRawNATS(ctx, p.load) }),
		p.subject(fmt.Sprint("gossip.n", largeNodes), func() (curve, error) { return measureWindow(ctx, "gossip", large) }),
		p.subject(fmt.Sprint("plain_memberlist.n", largeNodes), func() (curve, error) { return measurePlainMemberlist(ctx, plain) }))
}

func (p *propagation) subject(name string, measure func() (curve, error)) error {
	c, err := measure()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if p.curves[name] == nil {
		p.order = append(p.order, name)
	}
	p.curves[name] = append(p.curves[name], c)
	return nil
}
