package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"rescind/bench/progress"
	"rescind/bench/report"
)

// The cluster without a broker that the goals speak of.
const (
	largeNodes = 20
	largeRate  = 1000
	// plainRate is what the rival gets: at 1,000 a second its queues only grow.
	plainRate = 20
	// plainGiveUp is shorter than ours: what it loses it never repairs.
	plainGiveUp = 3 * time.Second
)

// propagation is one run of bench propagation in this process.
type propagation struct {
	load
	rounds   int
	carriers []string
	rivals   bool
	burst    time.Duration // of 20,000 revocations a second
	drops    int           // messages lost on purpose
	grow     growth

	order  []string // of subjects, as in the table
	curves map[string][]curve

	w   io.Writer
	bar *progress.Bar
	r   *report.Result
}

// runPropagation measures the window: of clusters that it starts in this
// process, or with a URL in --nodes of one that runs.
func runPropagation(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("propagation", flag.ContinueOnError)
	p := &propagation{load: load{giveUp: 10 * time.Second}, grow: fullGrowth, curves: map[string][]curve{}, r: r}
	remote := remoteFlags(fs)
	nodes := fs.String("nodes", "5", "how many nodes to run in this process; or the URLs of a running cluster, separated by commas: http://node1:8080,http://node2:8080")
	fs.IntVar(&p.rate, "rate", 200, "revocations per second in all")
	fs.DurationVar(&p.duration, "duration", 5*time.Second, "how long to measure, each round")
	fs.DurationVar(&p.warmUp, "warm-up", time.Second, "how long to revoke before measuring")
	fs.DurationVar(&p.giveUp, "time-out", p.giveUp, "when a revocation that has not arrived counts as lost")
	fs.IntVar(&p.rounds, "rounds", 5, "rounds; the tables show the median of each figure")
	fs.IntVar(&p.idBytes, "id-bytes", 0, "length of the identifiers; 0: as short as they come. What travels between nodes is their digest")
	scopes := fs.String("scopes", "jti=1", "by which scopes tokens are revoked, with weights: jti=8,sid=1,sub=1")
	fs.BoolVar(&p.rivals, "rivals", true, "in this process: also raw NATS, 20 nodes with and without Rescind, a burst, messages lost on purpose, other sizes and rates")
	carriers := fs.String("carriers", "gossip,nats,both", "in this process: which carriers to measure")
	quick := fs.Bool("quick", false, "five short rounds")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	r.Title = "The window"
	var err error
	if p.scopes, err = parseMix(*scopes); err != nil {
		return err
	}
	p.carriers, p.burst, p.drops = strings.Split(*carriers, ","), 10*time.Second, 40
	if *quick {
		p.rounds, p.duration, p.warmUp, p.burst, p.drops, p.grow = 5, 700*time.Millisecond, 200*time.Millisecond, 2*time.Second, 8, quickGrowth
	}
	if p.rate < 1 || p.rate > 100_000 || p.rounds < 1 || p.duration <= 0 || p.warmUp < 0 || p.giveUp <= 0 || p.idBytes < 0 || p.idBytes > 500 {
		return errors.New("use 1 to 100,000 revocations per second, at least 1 round, a duration, a time-out and identifiers up to 500 bytes")
	}
	r.Settings("rate", p.rate, "duration", p.duration.String(), "warm_up", p.warmUp.String(), "time_out", p.giveUp.String(), "rounds", p.rounds, "scopes", p.scopes.text, "id_bytes", p.idBytes)
	if strings.Contains(*nodes, "://") {
		return remote.measure(ctx, *nodes, p.load, p.rounds, r)
	}
	if _, err := fmt.Sscan(*nodes, &p.nodes); err != nil || p.nodes < 2 || p.nodes > 200 {
		return fmt.Errorf("nodes: %q is neither a number from 2 to 200 nor a list of URLs", *nodes)
	}
	r.Settings("nodes", p.nodes, "carriers", *carriers)
	shareRuntime(p.nodes)
	return p.all(ctx)
}

// subject is one thing whose window is measured in each round.
type subject struct {
	name    string
	measure func(ctx context.Context) (curve, error)
}

// subjects lists what each round measures.
func (p *propagation) subjects() (all []subject) {
	large := p.load
	large.nodes, large.rate = largeNodes, largeRate
	plain := large
	plain.rate, plain.giveUp = plainRate, min(p.giveUp, plainGiveUp)
	small := fmt.Sprint(".n", p.nodes)
	for _, c := range p.carriers {
		all = append(all, subject{c + small, func(ctx context.Context) (curve, error) { return measureWindow(ctx, c, p.load) }})
	}
	if p.rivals {
		all = append(all,
			subject{"raw_nats" + small, func(ctx context.Context) (curve, error) { return measureRawNATS(ctx, p.load) }},
			subject{fmt.Sprint("gossip.n", largeNodes), func(ctx context.Context) (curve, error) { return measureWindow(ctx, "gossip", large) }},
			subject{fmt.Sprint("plain_memberlist.n", largeNodes), func(ctx context.Context) (curve, error) { return measurePlainMemberlist(ctx, plain) }})
	}
	return all
}

// all measures everything, prints it and fills the page.
func (p *propagation) all(ctx context.Context) error {
	subjects := p.subjects()
	one := (p.warmUp + p.duration).Seconds() + 1 // and forming the cluster
	total := one * float64(p.rounds*len(subjects)+2)
	if p.rivals {
		total += one*float64(len(p.grow.nodes)+len(p.grow.rates)) + 2*p.burst.Seconds() + float64(p.drops)/2
	}
	p.bar = progress.New(os.Stderr, total)
	defer p.bar.Close()
	p.w = p.bar.Out(os.Stdout)
	for round := range p.rounds { // interleaved, so that a noisy moment hits all
		for _, s := range subjects {
			p.bar.Step(one, "round %d of %d: %s", round+1, p.rounds, s.name)
			if err := p.subject(ctx, s); err != nil {
				return fmt.Errorf("round %d: %w", round+1, err)
			}
		}
	}
	p.windows(p.w, p.r)
	if p.rivals {
		p.ratios(p.w, p.r)
	}
	p.show()
	if err := p.twoClocks(ctx, one); err != nil {
		return err
	}
	if p.rivals {
		return p.extremes(ctx, one)
	}
	return nil
}

// extremes measures what is beyond the rounds: other sizes and rates, repairs
// and bursts.
func (p *propagation) extremes(ctx context.Context, one float64) error {
	if err := p.scaling(ctx, one); err != nil {
		return err
	}
	p.r.Heading("Repairs and bursts")
	p.bar.Step(float64(p.drops)/2, "messages lost on purpose")
	if err := p.repaired(ctx, p.w, p.r); err != nil {
		return err
	}
	for _, carrier := range []string{"nats", "gossip"} {
		p.bar.Step(p.burst.Seconds(), "a burst over %s", carrier)
		if err := p.sustained(ctx, p.w, carrier, p.r); err != nil {
			return err
		}
	}
	return nil
}

func (p *propagation) subject(ctx context.Context, s subject) error {
	c, err := s.measure(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if !slices.Contains(p.order, s.name) {
		p.order = append(p.order, s.name)
	}
	p.curves[s.name] = append(p.curves[s.name], c)
	return nil
}
