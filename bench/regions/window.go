package regions

import (
	"context"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"rescind/bench/report"
	"rescind/bench/stats"
	"rescind/bench/window"
)

// distance is the window to the nodes that are so many links away.
type distance struct {
	each, last *hdrhistogram.Histogram // microseconds, as in curve
	lost       int
	traffic    traffic
}

// traffic is what was sent while revoking.
type traffic struct {
	crossed, compared, sent float64 // bytes a second: over all links; for comparisons, and at all, by all nodes
}

// restful is the same while nobody revokes, and what is claimed then.
type restful struct {
	traffic
	staleness []float64 // of every node, in milliseconds
}

// meter measures traffic from now on.
func meter(r *regions) (read func() traffic) {
	began, crossed, compared, sent := time.Now(), r.crossed(), r.compared(), r.sent()
	return func() traffic {
		s := time.Since(began).Seconds()
		return traffic{float64(r.crossed()-crossed) / s, float64(r.compared()-compared) / s, float64(r.sent()-sent) / s}
	}
}

// window measures from Revoke called on a node to the refusal by every other,
// apart by how far away they are.
func (p *run) window(ctx context.Context, r *regions) error {
	probe := window.NewProbe(r.nodes, p.Load)
	if _, err := probe.Run(ctx, p.Count(p.WarmUp)); err != nil {
		return err
	}
	read := meter(r)
	c, err := probe.Run(ctx, p.Count(p.Duration))
	if err != nil {
		return err
	}
	all := r.byDistance(c)
	all[0].traffic = read()
	p.windows = append(p.windows, all)
	return nil
}

// byDistance sorts arrivals by how many links they crossed. What never arrived
// counts with the time that it was given.
func (r *regions) byDistance(c window.Curve) []distance {
	all := make([]distance, min(3, len(r.links)+1))
	for i := range all {
		all[i].each, all[i].last = window.NewHistogram(c.GiveUp), window.NewHistogram(c.GiveUp)
	}
	for i, t := range c.Trips {
		from := i % len(r.nodes)
		took := make([]float64, len(r.nodes)) // 0: did not arrive
		for k, to := range t.To {
			took[to] = max(t.MS[k], 0.001)
		}
		worst := make([]float64, len(all))
		for to, took := range took {
			if to == from {
				continue
			}
			hops := r.hops(from, to)
			if took == 0 {
				took = stats.Millis(c.GiveUp)
				all[hops].lost++
			}
			window.Record(all[hops].each, took)
			worst[hops] = max(worst[hops], took)
		}
		for hops, took := range worst {
			if took > 0 {
				window.Record(all[hops].last, took)
			}
		}
	}
	return all
}

// atRest looks at the links while nobody revokes.
func (p *run) atRest(ctx context.Context, r *regions) error {
	read := meter(r)
	end, every := time.NewTimer(p.rest), time.NewTicker(50*time.Millisecond)
	defer end.Stop()
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			p.restful.traffic = read()
			return nil
		case <-every.C:
			for _, n := range r.nodes {
				if s := n.Staleness(); s.Known {
					p.restful.staleness = append(p.restful.staleness, stats.Millis(s.Bound))
				}
			}
		}
	}
}

var distances = []string{"inside", "one_link", "two_links"}

// showWindows prints the windows, the median of each figure over the rounds.
func (p *run) showWindows() {
	fmt.Fprintf(p.w, "Window from Revoke called to refused by Check, in milliseconds: %d regions of %d nodes in one process, each link %v one way, %d/s, %v, median of %d rounds.\n",
		p.geography.regions, p.geography.nodes, p.delay, p.Rate, p.Duration, p.rounds)
	t := report.Table{Columns: []string{"where", "to", "p50", "p99", "max", "p50 beyond the way", "p99", "max", "samples", "lost"},
		Caption: "\"last\" is the slowest node at that distance, the security answer. \"Beyond the way\" is without the time that the links take."}
	lost := 0
	for hops, first := range p.windows[0] {
		if first.each.TotalCount() == 0 {
			continue // a region of one node has nobody inside
		}
		way := stats.Millis(p.delay) * float64(hops)
		for _, to := range []string{"each", "last"} {
			row, beyond, samples, missing := []any{distances[hops], to}, []any{}, int64(0), 0
			for _, q := range []struct {
				name string
				at   float64
			}{{"p50", 50}, {"p99", 99}, {"max", 100}} {
				var values []float64
				for _, w := range p.windows {
					values = append(values, w[hops].percentile(to, q.at))
				}
				p.r.Rounds(fmt.Sprintf("regions.%s.%s.%s_ms", distances[hops], to, q.name), values)
				row, beyond = append(row, fmt.Sprintf("%.2f", stats.Median(values))), append(beyond, fmt.Sprintf("%.2f", stats.Median(values)-way))
			}
			for _, w := range p.windows {
				samples, missing = samples+w[hops].histogram(to).TotalCount(), missing+w[hops].lost
			}
			t.Row(append(append(row, beyond...), samples, missing)...)
			if to == "each" {
				lost += missing
			}
		}
	}
	_ = t.Text(p.w) // as all output
	p.r.Set("regions.lost", float64(lost))
	p.r.Table(t)
	p.r.HighlightZero(lost, "revocations that did not arrive")
	p.r.Highlight(fmt.Sprintf("%.1f ms", p.r.Figures["regions.one_link.last.p99_ms"]), fmt.Sprintf("p99 of the slowest node beyond a link of %v", p.delay))
}

func (d distance) histogram(to string) *hdrhistogram.Histogram {
	if to == "each" {
		return d.each
	}
	return d.last
}

func (d distance) percentile(to string, q float64) float64 {
	return float64(d.histogram(to).ValueAtPercentile(q)) / 1000
}

// showTraffic prints what the links carry.
func (p *run) showTraffic() {
	var load traffic
	for _, part := range []struct {
		name string
		of   func(traffic) float64
		to   *float64
	}{
		{"link", func(t traffic) float64 { return t.crossed }, &load.crossed},
		{"compare", func(t traffic) float64 { return t.compared }, &load.compared},
		{"sent", func(t traffic) float64 { return t.sent }, &load.sent},
	} {
		var values []float64
		for _, w := range p.windows {
			values = append(values, part.of(w[0].traffic))
		}
		*part.to = stats.Median(values)
		p.r.Rounds("regions.load."+part.name+"_bytes", values)
		p.r.Set("regions.rest."+part.name+"_bytes", part.of(p.restful.traffic))
	}
	nodes := float64(p.Load.Nodes)
	t := report.Table{Title: "Bytes a second", Columns: []string{"", "over all links, both ways", "for comparisons, all nodes", "sent by a node"},
		Caption: "Over the links: as TCP carries them, without its headers. A node's: what it handed to memberlist and NATS, sealed. Comparisons: of all nodes with all others, near and far, before the seal; what crosses the links is part of that."}
	t.Row("at rest", p.restful.crossed, p.restful.compared, p.restful.sent/nodes)
	t.Row(fmt.Sprintf("at %d revocations a second", p.Rate), load.crossed, load.compared, load.sent/nodes)
	_ = t.Text(p.w) // as all output
	p.r.Table(t)
	if s := p.restful.staleness; len(s) > 0 {
		p.r.Set("regions.rest.staleness_p50_ms", stats.Median(s))
		p.r.Set("regions.rest.staleness_max_ms", stats.Quantile(s, 1))
		note := fmt.Sprintf("At rest nodes claim to be at most %.0f ms behind in the median, and %.0f ms at the most.", stats.Median(s), stats.Quantile(s, 1))
		fmt.Fprintln(p.w, "\n"+note)
		p.r.Note(note)
	}
}
