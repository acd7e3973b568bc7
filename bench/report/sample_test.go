package report

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// sample is a result with every kind of block.
func sample() *Result {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, middle, width float64) (out []float64) {
		for range n {
			out = append(out, middle*math.Exp(rng.NormFloat64()*width))
		}
		return out
	}
	r := New("propagation")
	r.Title = "the window from Revoke called on one node to refused on every other"
	r.Command = "bench propagation --quick --out report.html"
	r.Settings("nodes", 5, "rate", 200)
	r.Uses("Redis", "7.0.15")
	r.Rounds("window.nats.n5.p50_ms", []float64{0.51, 0.55, 0.49, 0.6, 0.52})
	r.Set("window.lost", 0)
	r.Highlight("1.2 ms", "p99 to the last of 5 nodes, over NATS")
	r.HighlightZero(0, "revocations that were lost")
	r.HighlightZero(3, "checks answered wrongly")
	r.Heading("The window")
	r.Note("Time from the call of Revoke to the refusal by a check on another node. “Last” is the slowest of them.")
	t := Table{Title: "Window, in ms", Columns: []string{"", "p50", "p99", "max", "lost"}, Caption: "Medians of 5 rounds."}
	t.Row("nats, each", 0.512, 1.3, 3.22, 0)
	t.Row("gossip, each", 0.4, 0.9, 2.5, 12)
	r.Table(t)
	lossy := append(draw(900, 1.2, 0.5), make([]float64, 20)...)
	for i := 900; i < len(lossy); i++ {
		lossy[i] = 3000
	}
	all := []Distribution{FromValues("nats, last", draw(5000, 0.5, 0.35), 0, 3000), FromValues("gossip, last", draw(5000, 0.35, 0.6), 0, 3000), FromValues("a lossy one", lossy, 20, 3000)}
	r.Percentiles(Percentiles{Title: "Window by percentile", Unit: "ms", Distributions: all, Caption: "Lower is better."})
	r.CDF(CDF{Title: "Share that has arrived", Unit: "ms", Distributions: all})
	h := HeatMap{Title: "p99 by pair of nodes", Unit: "ms", RowLabel: "from", ColumnLabel: "to"}
	for i := range 5 {
		h.Rows = append(h.Rows, fmt.Sprint("n", i))
		h.Columns = append(h.Columns, fmt.Sprint("n", i))
		row := draw(5, 1, 0.4)
		row[i] = -1
		h.Values = append(h.Values, row)
	}
	r.HeatMap(h)
	var arrivals [][]float64
	for range 300 {
		arrivals = append(arrivals, draw(19, 0.6, 0.5))
	}
	r.Spread(Spread{Title: "Share of nodes that know", Unit: "ms", Curves: []SpreadCurve{NewSpreadCurve("gossip, 20 nodes", arrivals, 19)}})
	r.Lines(Lines{Title: "Time of a check by set size", X: Axis{Label: "Entries", Log: true}, Y: Axis{Label: "Time of a check", Unit: "ns", Log: true}, Lines: []Line{
		{Name: "rescind", X: []float64{1e3, 1e4, 1e5, 1e6, 1e7, 1e8}, Y: []float64{20, 25, 40, 60, 90, 110}, Low: []float64{18, 22, 33, 55, 80, 95}, High: []float64{24, 30, 50, 70, 100, 140}, Points: true},
		{Name: "map", X: []float64{1e3, 1e4, 1e5, 1e6, 1e7}, Y: []float64{30, 45, 90, 160, 260}, Points: true, Dashed: true},
	}})
	r.Bars(Bars{Title: "Latency of a check", Value: Axis{Label: "Time", Unit: "ns", Log: true}, Bars: []Bar{
		{Name: "rescind, in process", Value: 61, Low: 55, High: 70, Ours: true}, {Name: "golang-jwt + Redis EXISTS", Value: 48000, Low: 41000, High: 70000}, {Name: "introspection over HTTP", Value: 180000, Low: 150000, High: 260000},
	}})
	r.Shares(Shares{Title: "Which carrier was first", Parts: []string{"memberlist", "NATS"}, Rows: []ShareRow{{"5 nodes, both", []float64{812, 188}}, {"20 nodes, both", []float64{999, 1}}}})
	tl := Timeline{Title: "Claimed staleness over true lag", Value: Axis{Label: "Staleness", Unit: "ms", Log: true}, Periods: []Period{{"n2 is paused", 5, 11}, {"partition", 18, 27}}, Marks: []Mark{{"NATS killed", 14}, {"NATS is back", 16.5}, {"equal again", 28.1}}}
	var xs, claimed, lag []float64
	for at := 0.0; at < 40; at += 0.02 {
		xs = append(xs, at)
		c, l := 250.0+30*math.Sin(at*9), 1+rng.Float64()
		if at > 5 && at < 11 {
			c, l = 250+1000*(at-5), 1000*(at-5)
		}
		if at > 18 && at < 27 {
			c, l = 250+1000*(at-18), 1000*(at-18)
		}
		claimed, lag = append(claimed, c), append(lag, l)
	}
	tl.Lines = []Line{{Name: "claimed", X: xs, Y: claimed, Steps: true}, {Name: "true", X: xs, Y: lag, Steps: true}}
	r.Timeline(tl)
	return r
}
