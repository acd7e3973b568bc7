// Package propagation is bench propagation: the window from Revoke called on one node
// to refused on every other, of clusters in this process (package window) and of one
// that runs (package remote).
package propagation

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
	"rescind/bench/window"
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
	window.Load
	rounds   int
	carriers []string
	rivals   bool
	burst    time.Duration // of 20,000 revocations a second
	drops    int           // messages lost on purpose
	grow     growth

	order  []string // of subjects, as in the table
	curves map[string][]window.Curve

	w   io.Writer
	bar *progress.Bar
	r   *report.Result
}

// Run measures the window: of clusters that it starts in this
// process, or with a URL in --nodes of one that runs.
func Run(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("propagation", flag.ContinueOnError)
	p := &propagation{Load: window.Load{GiveUp: 10 * time.Second}, grow: fullGrowth, curves: map[string][]window.Curve{}, r: r}
	remote := remoteFlags(fs)
	nodes := fs.String("nodes", "5", "how many nodes to run in this process; or the URLs of a running cluster, separated by commas: http://node1:8080,http://node2:8080")
	fs.IntVar(&p.Rate, "rate", 200, "revocations per second in all")
	fs.DurationVar(&p.Duration, "duration", 5*time.Second, "how long to measure, each round")
	fs.DurationVar(&p.WarmUp, "warm-up", time.Second, "how long to revoke before measuring")
	fs.DurationVar(&p.GiveUp, "time-out", p.GiveUp, "when a revocation that has not arrived counts as lost")
	fs.IntVar(&p.rounds, "rounds", 5, "rounds; the tables show the median of each figure")
	fs.IntVar(&p.IDBytes, "id-bytes", 0, "length of the identifiers; 0: as short as they come. What travels between nodes is their digest")
	scopes := fs.String("scopes", "jti=1", "by which scopes tokens are revoked, with weights: jti=8,sid=1,sub=1")
	fs.BoolVar(&p.rivals, "rivals", true, "in this process: also raw NATS, 20 nodes with and without Rescind, a burst, messages lost on purpose, other sizes and rates")
	carriers := fs.String("carriers", "gossip,nats,both", "in this process: which carriers to measure")
	quick := fs.Bool("quick", false, "five short rounds")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	r.Title = "The window"
	var err error
	if p.Scopes, err = window.ParseMix(*scopes); err != nil {
		return err
	}
	p.carriers, p.burst, p.drops = strings.Split(*carriers, ","), 10*time.Second, 40
	if *quick {
		p.rounds, p.Duration, p.WarmUp, p.burst, p.drops, p.grow = 5, 700*time.Millisecond, 200*time.Millisecond, 2*time.Second, 8, quickGrowth
	}
	if p.Rate < 1 || p.Rate > 100_000 || p.rounds < 1 || p.Duration <= 0 || p.WarmUp < 0 || p.GiveUp <= 0 || p.IDBytes < 0 || p.IDBytes > 500 {
		return errors.New("use 1 to 100,000 revocations per second, at least 1 round, a duration, a time-out and identifiers up to 500 bytes")
	}
	r.Settings("rate", p.Rate, "duration", p.Duration.String(), "warm_up", p.WarmUp.String(), "time_out", p.GiveUp.String(), "rounds", p.rounds, "scopes", p.Scopes.Text, "id_bytes", p.IDBytes)
	if strings.Contains(*nodes, "://") {
		if p.IDBytes > 0 {
			return errors.New("with URLs there is no --id-bytes: identifiers are as the issuer makes them, and nodes send each other digests, which are all of a length")
		}
		return remote.measure(ctx, *nodes, p.Load, p.rounds, r)
	}
	if _, err := fmt.Sscan(*nodes, &p.Nodes); err != nil || p.Nodes < 2 || p.Nodes > 200 {
		return fmt.Errorf("nodes: %q is neither a number from 2 to 200 nor a list of URLs", *nodes)
	}
	r.Settings("nodes", p.Nodes, "carriers", *carriers)
	window.ShareRuntime(p.Nodes)
	return p.all(ctx)
}

// subject is one thing whose window is measured in each round.
type subject struct {
	name    string
	measure func(ctx context.Context) (window.Curve, error)
}

// subjects lists what each round measures.
func (p *propagation) subjects() (all []subject) {
	large := p.Load
	large.Nodes, large.Rate = largeNodes, largeRate
	plain := large
	plain.Rate, plain.GiveUp = plainRate, min(p.GiveUp, plainGiveUp)
	small := fmt.Sprint(".n", p.Nodes)
	for _, c := range p.carriers {
		all = append(all, subject{c + small, func(ctx context.Context) (window.Curve, error) { return window.Measure(ctx, c, p.Load) }})
	}
	if p.rivals {
		all = append(all,
			subject{"raw_nats" + small, func(ctx context.Context) (window.Curve, error) { return measureRawNATS(ctx, p.Load) }},
			subject{fmt.Sprint("gossip.n", largeNodes), func(ctx context.Context) (window.Curve, error) { return window.Measure(ctx, "gossip", large) }},
			subject{fmt.Sprint("plain_memberlist.n", largeNodes), func(ctx context.Context) (window.Curve, error) { return measurePlainMemberlist(ctx, plain) }})
	}
	return all
}

// all measures everything, prints it and fills the page.
func (p *propagation) all(ctx context.Context) error {
	subjects := p.subjects()
	one := (p.WarmUp + p.Duration).Seconds() + 1 // and forming the cluster
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
		if err := p.extremes(ctx, one); err != nil {
			return err
		}
	}
	if lost := p.r.Figures["window.lost"]; lost > 0 {
		return fmt.Errorf("%.0f revocations did not arrive within %v", lost, p.GiveUp)
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
