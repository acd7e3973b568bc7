package propagation

import (
	"fmt"

	"rescind/bench/report"
	"rescind/bench/stats"
	"rescind/bench/window"
)

// named is the curves of all rounds of one subject, for people.
type named struct {
	name   string
	curves []window.Curve
}

// distribution returns the samples of all rounds.
func (n named) distribution(to string) report.Distribution {
	d := report.Distribution{}
	for i, c := range n.curves {
		lost := c.Lost
		if to == "last" {
			lost = c.Late
		}
		one := report.FromHistogram("", c.Histogram(to), 1000, int64(lost), c.GiveUp.Microseconds())
		if i == 0 {
			d = one
		} else {
			d = d.Merge(one)
		}
	}
	d.Name = n.name
	return d
}

// spread returns how fast the others hear.
func (n named) spread(nodes int) report.SpreadCurve {
	var arrivals [][]float64
	for _, c := range n.curves {
		for _, t := range c.Trips {
			arrivals = append(arrivals, t.MS)
		}
	}
	return report.NewSpreadCurve(n.name, arrivals, nodes-1)
}

// pair returns the window from one node to another. Message i started at node
// i modulo the origins.
func (n named) pair(from, to, origins int) (values []float64, lost int64) {
	for _, c := range n.curves {
		for i, t := range c.Trips {
			if i%origins != from {
				continue
			}
			found := false
			for k, at := range t.To {
				if at == to {
					values, found = append(values, t.MS[k]), true
				}
			}
			if !found {
				values, lost = append(values, stats.Millis(c.GiveUp)), lost+1
			}
		}
	}
	return values, lost
}

// pairs draws the pairs of nodes as a map of their p99, and lists them in full.
// The first of the nodes are origins.
func (n named) pairs(r *report.Result, names []string, origins int) {
	h := report.HeatMap{
		Title: "p99 of the window by pair of nodes, " + n.name, Unit: "ms", RowLabel: "revoked on", ColumnLabel: "refused on", Rows: names[:origins], Columns: names,
		Caption: "One strong row is a node that sends late, one strong column a node that hears late. 99 of 100 revocations arrived within the time in the cell.",
	}
	t := report.Table{Title: "All pairs of nodes, " + n.name + ", in ms", Columns: []string{"from, to", "p50", "p90", "p99", "p99.9", "p99.99", "max", "samples", "lost"}, Folded: true}
	for from := range origins {
		var row []float64
		for to := range names {
			if from == to {
				row = append(row, -1)
				continue
			}
			values, lost := n.pair(from, to, origins)
			d := report.FromValues("", values, lost, 0)
			p99, _ := d.At(0.99)
			row = append(row, p99)
			t.Row(append(append([]any{names[from] + ", " + names[to]}, percentilesOf(d)...), d.Total(), lost)...)
		}
		h.Values = append(h.Values, row)
	}
	r.HeatMap(h)
	r.Table(t)
}

// percentilesOf returns the cells of a table. Where the sample never arrived
// the time-out is a lower bound.
func percentilesOf(d report.Distribution) (cells []any) {
	for _, q := range percentiles {
		v, lost := d.At(q.at / 100)
		switch {
		case d.Total() == 0:
			cells = append(cells, "-")
		case lost:
			cells = append(cells, "≥ "+report.Number(v))
		case !enough(d.Total(), q.at):
			cells = append(cells, "-") // it would be the maximum again
		default:
			cells = append(cells, v)
		}
	}
	return cells
}

// enough reports whether a percentile means something with so many samples: at
// least one of them lies above it.
func enough(samples int64, percent float64) bool {
	return percent == 100 || float64(samples)*(100-percent)/100 >= 1
}

// enter enters a percentile as a figure and returns it in words: by round where a
// round has samples enough for it, of all rounds together where only these have and
// for the maximum, and otherwise not at all.
func enter(r *report.Result, figure string, curves []window.Curve, to string, percent float64) string {
	all, rounds := window.NewHistogram(curves[0].GiveUp), make([]float64, len(curves))
	byRound := percent < 100
	for i, c := range curves {
		rounds[i] = c.At(to, percent)
		byRound = byRound && enough(int64(c.Samples(to)), percent)
		all.Merge(c.Histogram(to))
	}
	switch {
	case byRound:
		r.Rounds(figure, rounds)
	case enough(all.TotalCount(), percent):
		r.Set(figure, float64(all.ValueAtPercentile(percent))/1000)
	default:
		return "-" // it would be the maximum again
	}
	return fmt.Sprintf("%.2f", r.Figures[figure])
}

// enterBehind enters how late calls were made, and returns it in words.
func enterBehind(r *report.Result, behind []float64) string {
	if len(behind) == 0 {
		return "none was made"
	}
	late := stats.Quantile(behind, 0.99)
	r.Set("window.called_late_p99_ms", late)
	if late > mostBehind {
		r.Doubt(fmt.Sprintf("The machine of the bench was too busy to call at the times that were set: 1 call in 100 came more than %s ms late.", report.Number(late)))
	}
	return fmt.Sprintf("99 of 100 within %s ms of when it was due", report.Number(late))
}

// mostBehind is up to how many ms late a call may be without being remarked on.
const mostBehind = 5

// windowTable lists the percentiles of subjects, to each and to the last node.
func windowTable(title string, subjects []named) report.Table {
	t := report.Table{Title: title, Columns: []string{"", "to", "p50", "p90", "p99", "p99.9", "p99.99", "max", "samples", "lost"},
		Caption: "All rounds together. A dash: too few samples for that percentile. ≥: the sample there never arrived, and counts with the time it was given."}
	for _, s := range subjects {
		for _, to := range []string{"each", "last"} {
			d := s.distribution(to)
			t.Row(append(append([]any{s.name, to}, percentilesOf(d)...), d.Total(), d.Lost)...)
		}
	}
	return t
}

// windowPlots draws the percentiles and the share that has arrived, to the last
// node and to each.
func windowPlots(r *report.Result, what string, subjects []named) {
	for _, to := range []string{"last", "each"} {
		var all []report.Distribution
		for _, s := range subjects {
			all = append(all, s.distribution(to))
		}
		node := map[string]string{"last": "the last node", "each": "each node"}[to]
		r.Percentiles(report.Percentiles{Title: fmt.Sprintf("Window to %s by percentile, %s", node, what), Unit: "ms", Distributions: all,
			Caption: "Lower is better. At 99: one in a hundred takes longer than this. Both axes are logarithmic."})
		r.CDF(report.CDF{Title: fmt.Sprintf("Share of revocations that have reached %s, %s", node, what), Unit: "ms", Distributions: all,
			Caption: "Further left is better."})
	}
}
