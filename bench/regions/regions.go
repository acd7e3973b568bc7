// Package regions is bench regions: the window between regions that are far apart,
// what the link carries, and what a cut does.
package regions

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"rescind/bench/progress"
	"rescind/bench/report"
	"rescind/bench/window"
)

// run is one run of bench regions.
type run struct {
	window.Load
	geography
	rounds int
	rest   time.Duration // without a revocation, to see what the link carries then
	cut    time.Duration // how long the link is cut

	w   io.Writer
	bar *progress.Bar
	r   *report.Result

	windows [][]distance // by round, then hops
	restful restful
}

// measured is how the servers are set, as in deploy/regions.
var measured = geography{ping: 2 * time.Second, redial: time.Second}

// Run measures a cluster over several regions.
func Run(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("regions", flag.ContinueOnError)
	p := &run{r: r, geography: measured}
	fs.IntVar(&p.geography.regions, "regions", 2, "how many regions; the NATS server of the first is the hub, those of the others are its leaf nodes")
	fs.IntVar(&p.geography.nodes, "nodes-per-region", 3, "how many nodes gossip in each")
	fs.DurationVar(&p.delay, "delay", 80*time.Millisecond, "what the link between two regions takes, one way")
	fs.IntVar(&p.Rate, "rate", 200, "revocations per second in all")
	fs.DurationVar(&p.Duration, "duration", 5*time.Second, "how long to measure the window, each round")
	fs.DurationVar(&p.WarmUp, "warm-up", time.Second, "how long to revoke before measuring")
	fs.DurationVar(&p.GiveUp, "time-out", 10*time.Second, "when a revocation that has not arrived counts as lost")
	fs.IntVar(&p.rounds, "rounds", 5, "rounds; the tables show the median of each figure")
	fs.DurationVar(&p.rest, "rest", 45*time.Second, "how long to look at the link while nobody revokes; members compare every 30 to 40 s")
	fs.DurationVar(&p.cut, "cut", 10*time.Second, "how long the link is cut, once silently and once with its connections ended")
	quick := fs.Bool("quick", false, "three short rounds, a short rest and short cuts")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *quick {
		p.rounds, p.Duration, p.WarmUp, p.rest, p.cut = 3, time.Second, 300*time.Millisecond, 3*time.Second, 3*time.Second
	}
	r.Title = "Several regions"
	if err := p.check(); err != nil {
		return err
	}
	p.Load.Nodes = p.geography.regions * p.geography.nodes
	r.Settings("regions", p.geography.regions, "nodes_per_region", p.geography.nodes, "delay", p.delay.String(), "rate", p.Rate, "duration", p.Duration.String(),
		"warm_up", p.WarmUp.String(), "time_out", p.GiveUp.String(), "rounds", p.rounds, "rest", p.rest.String(), "cut", p.cut.String())
	window.ShareRuntime(p.Load.Nodes)
	return p.all(ctx)
}

func (p *run) check() error {
	switch {
	case p.geography.regions < 2 || p.geography.regions > 8 || p.geography.nodes < 1 || p.geography.regions*p.geography.nodes > 100:
		return errors.New("use 2 to 8 regions of at least 1 node, and at most 100 nodes in all")
	case p.delay < 0 || p.delay > time.Second:
		return errors.New("use a delay of up to 1 s")
	case p.Rate < 1 || p.Rate > 20_000 || p.rounds < 1 || p.Duration <= 0 || p.WarmUp < 0 || p.rest <= 0 || p.GiveUp <= p.delay:
		return errors.New("use 1 to 20,000 revocations per second, at least 1 round, a duration, a rest and a time-out above the delay")
	case p.cut < 0 || p.cut > 10*time.Minute:
		return errors.New("use a cut of up to 10 minutes")
	}
	return nil
}

// all measures everything, prints it and fills the page.
func (p *run) all(ctx context.Context) error {
	const forming = 3
	round := (p.WarmUp + p.Duration).Seconds() + forming
	outage := 2*p.cut.Seconds() + forming + (outageBefore + outageAfter).Seconds()
	p.bar = progress.New(os.Stderr, round*float64(p.rounds)+p.rest.Seconds()+2*outage)
	defer p.bar.Close()
	p.w = p.bar.Out(os.Stdout)
	for i := range p.rounds {
		p.bar.Step(round, "round %d of %d", i+1, p.rounds)
		err := withRegions(ctx, p.geography, func(r *regions) error {
			if err := p.window(ctx, r); err != nil || i < p.rounds-1 {
				return err
			}
			p.bar.Step(p.rest.Seconds(), "nobody revokes")
			return p.atRest(ctx, r)
		})
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	p.showWindows()
	p.showTraffic()
	if p.cut == 0 {
		return nil
	}
	p.r.Heading("The link is cut")
	for _, how := range cuts {
		p.bar.Step(outage, "the link is cut: %s", how.name)
		if err := withRegions(ctx, p.geography, func(r *regions) error { return p.outage(ctx, r, how) }); err != nil {
			return fmt.Errorf("cut %s: %w", how.name, err)
		}
	}
	return nil
}
