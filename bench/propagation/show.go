package propagation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rescind/bench/report"
	"rescind/bench/window"
	"rescind/cluster"
)

// says is what the subjects are called on the page.
func says(subject string) string {
	for _, s := range []struct{ prefix, text string }{
		{"gossip.n", "memberlist, %s nodes"}, {"nats.n", "NATS, %s nodes"}, {"both.n", "memberlist and NATS, %s nodes"},
		{"raw_nats.n", "raw NATS without Rescind, %s clients"}, {"plain_memberlist.n", "plain memberlist without Rescind, %s nodes"},
	} {
		if n, found := strings.CutPrefix(subject, s.prefix); found {
			return fmt.Sprintf(s.text, n)
		}
	}
	return subject
}

func (p *propagation) named(subjects ...string) (all []named) {
	for _, s := range subjects {
		if len(p.curves[s]) > 0 {
			all = append(all, named{says(s), p.curves[s]})
		}
	}
	return all
}

// show fills the page with what the rounds found.
func (p *propagation) show() {
	small, large := fmt.Sprint(".n", p.Nodes), fmt.Sprint(".n", largeNodes)
	main := p.carriers[len(p.carriers)-1] + small
	p.r.Highlight(report.Number(p.r.Figures[prefix(main, "last")+"p50_ms"])+" ms", "half of the revocations are refused on all nodes within this: "+says(main))
	p.r.Highlight(report.Number(p.r.Figures[prefix(main, "last")+"p99_ms"])+" ms", "99 of 100 are")
	p.r.HighlightZero(int(p.r.Figures["window.lost"]), "revocations that did not arrive within "+p.GiveUp.String())
	if v, there := p.r.Figures["window.nats"+small+".ratio_p50.raw_nats"]; there {
		p.r.Highlight(report.Number(v)+" ×", "the time of a bare NATS message, at p50")
	}
	if v, there := p.r.Figures["window.gossip"+large+".ratio_p99.plain_memberlist"]; there {
		p.r.Highlight(report.Number(v)+" ×", "faster than memberlist's own broadcasts at p99, 20 nodes")
	}
	p.r.Heading("The window")
	p.r.Note(fmt.Sprintf("Time from the call of Revoke on one node to the first check on another that refuses the token, in one process, by one clock: %d revocations a second on one node after the other, scopes %s. "+
		"“Each” counts every other node, “last” the slowest of them: before that moment the token still worked somewhere. Calls are made at their time whether or not earlier ones have returned (open loop), so that a slow moment is seen by all that it hits. "+
		"What did not arrive within %v counts with that time and is drawn dashed.", p.Rate, p.Scopes.Text, p.GiveUp))
	var subjects []string
	for _, c := range p.carriers {
		subjects = append(subjects, c+small)
	}
	subjects = append(subjects, "raw_nats"+small)
	p.r.Table(windowTable("Window in ms", p.named(append(slices.Clone(subjects), "gossip"+large, "plain_memberlist"+large)...)))
	windowPlots(p.r, fmt.Sprintf("%d nodes", p.Nodes), p.named(subjects...))
	if p.rivals {
		p.r.Note(fmt.Sprintf("Raw NATS and plain memberlist carry %d bytes from one process to itself: no disk, no seal, no Bloom filter, no repair. They are the floor, not a blacklist. "+
			"At 20 nodes Rescind gets %d revocations a second and plain memberlist only %d, because its queue holds more than that back for ever.", rivalMessage, largeRate, plainRate))
		windowPlots(p.r, fmt.Sprintf("%d nodes", largeNodes), p.named("gossip"+large, "plain_memberlist"+large))
	}
	p.spreads(main, large)
	names := make([]string, p.Nodes)
	for i := range names {
		names[i] = fmt.Sprint("n", i)
	}
	for _, s := range p.named(main) {
		s.pairs(p.r, names, p.Nodes)
	}
	p.firsts(small)
}

// spreads draws how the share of the nodes that know grows.
func (p *propagation) spreads(main, large string) {
	plot := report.Spread{Title: "Share of the other nodes that refuse the token, against time", Unit: "ms", Caption: "Line: the median of all revocations. Band: 90 of 100 revocations run within it."}
	for _, s := range p.named(main) {
		plot.Curves = append(plot.Curves, s.spread(p.Nodes))
	}
	for _, s := range p.named("gossip" + large) {
		plot.Curves = append(plot.Curves, s.spread(largeNodes))
	}
	p.r.Spread(plot)
}

// firsts draws which carrier was first where there are both.
func (p *propagation) firsts(small string) {
	row := report.ShareRow{Name: says("both" + small), Counts: make([]float64, 2)}
	for _, c := range p.curves["both"+small] {
		row.Counts[0] += c.FirstBy[0]
		row.Counts[1] += c.FirstBy[1]
	}
	if total := row.Counts[0] + row.Counts[1]; total > 0 {
		p.r.Set("window.both"+small+".first_by_gossip_share", row.Counts[0]/total)
		p.r.Shares(report.Shares{Title: "Which carrier was first", Parts: []string{"memberlist", "NATS"}, Rows: []report.ShareRow{row},
			Caption: "Both carry every revocation; the node takes the first and drops the second. Which one wins depends on the network."})
	}
}

// twoClocks measures the window in both ways for the same revocations: by the
// acknowledgements that come back to the origin, and by the first refusal.
func (p *propagation) twoClocks(ctx context.Context, weight float64) error {
	p.bar.Step(weight, "by acknowledgement and by refusal")
	carrier := p.carriers[len(p.carriers)-1]
	var refused, acked window.Curve
	err := window.With(ctx, window.Group{Carriers: carrier, Nodes: p.Nodes}, func(nodes []*cluster.Node) (err error) {
		b := window.NewProbe(nodes, p.Load)
		if _, err := b.Run(ctx, p.Count(p.WarmUp)); err != nil {
			return err
		}
		n := p.Count(p.Duration)
		b.Acked = window.NewRecorder(n, len(nodes)-1, p.GiveUp)
		refused, err = b.Run(ctx, n)
		acked = b.Acked.Curve(n)
		return err
	})
	if err != nil {
		return fmt.Errorf("by both clocks: %w", err)
	}
	twoClocks(p.r, named{"by acknowledgement", []window.Curve{acked}}, named{"by the first refusal", []window.Curve{refused}},
		"A node refuses the token as soon as the message has arrived; it acknowledges when the revocation is on its disk (fsync), and collects acknowledgements for a moment. So the first is an upper bound of the second.")
	return nil
}

// twoClocks shows the same revocations by both clocks.
func twoClocks(r *report.Result, acked, refused named, why string) {
	r.Heading("Two ways to measure the same window")
	r.Note("By acknowledgement: the origin's clock alone, from the call to the moment when the other node's acknowledgement is back. It needs no common clock, so it works between machines, and it is what every receipt and the dashboard state. " +
		"By the first refusal: from the call to the first check on the other node that refuses the token. It is what a thief would notice, and needs one clock for both ends. " + why)
	r.Table(windowTable("The same revocations, in ms", []named{acked, refused}))
	last := []report.Distribution{acked.distribution("last"), refused.distribution("last")}
	r.Percentiles(report.Percentiles{Title: "Window to the last node, by both", Unit: "ms", Distributions: last})
	for i, name := range []string{"acknowledged", "refused"} {
		for _, q := range percentiles[:3] {
			v, _ := last[i].At(q.at / 100)
			r.Set("window."+name+"."+q.name+"_ms", v)
		}
	}
}

// growth is which other sizes and rates are measured, by memberlist and NATS.
type growth struct {
	nodes []int
	rates []int
}

var (
	fullGrowth  = growth{nodes: []int{2, 5, 10, 20, 40}, rates: []int{50, 200, 1000, 5000}}
	quickGrowth = growth{nodes: []int{10}, rates: []int{1000}}
)

// scaling measures how the window grows with the nodes and with the rate.
func (p *propagation) scaling(ctx context.Context, weight float64) error {
	carrier := p.carriers[len(p.carriers)-1]
	byNodes := map[int]window.Curve{p.Nodes: p.curves[fmt.Sprint(carrier, ".n", p.Nodes)][0]}
	byRate := map[int]window.Curve{p.Rate: byNodes[p.Nodes]}
	one := func(nodes, rate int) (window.Curve, error) {
		l := p.Load
		l.Nodes, l.Rate = nodes, rate
		p.bar.Step(weight, "scaling: %d nodes, %d/s", nodes, rate)
		return window.Measure(ctx, carrier, l)
	}
	for _, n := range p.grow.nodes {
		c, err := one(n, p.Rate)
		if err != nil {
			return fmt.Errorf("%d nodes: %w", n, err)
		}
		byNodes[n] = c
	}
	for _, rate := range p.grow.rates {
		c, err := one(p.Nodes, rate)
		if err != nil {
			return fmt.Errorf("%d a second: %w", rate, err)
		}
		byRate[rate] = c
	}
	p.r.Heading("How the window grows")
	p.r.Note("One measurement each, all nodes in one process: they share the processors of this machine, so what grows here is also the work of the others. bench simulate shows the network's part up to 10,000 nodes.")
	p.grown("nodes", report.Axis{Label: "Nodes"}, byNodes, fmt.Sprintf("%d/s, %s", p.Rate, carrier))
	p.grown("rate", report.Axis{Label: "Revocations a second", Log: true}, byRate, fmt.Sprintf("%d nodes, %s", p.Nodes, carrier))
	return nil
}

// grown draws p50 and p99, to each and to the last, against a quantity.
func (p *propagation) grown(by string, x report.Axis, curves map[int]window.Curve, what string) {
	plot := report.Lines{Title: fmt.Sprintf("Window by %s (%s)", by, what), X: x, Y: report.Axis{Label: "Window", Unit: "ms", Log: true}}
	var at []int
	for n, c := range curves {
		at = append(at, n)
		for _, q := range []int{0, 2} {
			p.r.Set(fmt.Sprintf("window.scale.%s%d.%s_ms", by[:1], n, percentiles[q].name), c.At("last", percentiles[q].at))
		}
	}
	slices.Sort(at)
	for _, q := range []int{0, 2} {
		for _, to := range []string{"each", "last"} {
			l := report.Line{Name: percentiles[q].name + " to " + to, Points: true, Dashed: to == "each"}
			for _, n := range at {
				l.X, l.Y = append(l.X, float64(n)), append(l.Y, curves[n].At(to, percentiles[q].at))
			}
			plot.Lines = append(plot.Lines, l)
		}
	}
	p.r.Lines(plot)
}
