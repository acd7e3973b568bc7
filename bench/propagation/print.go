package propagation

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"rescind/bench/report"
	"rescind/bench/stats"
)

// percentiles of every window, and what figures call them.
var percentiles = []struct {
	name string
	at   float64
}{{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 99.9}, {"p9999", 99.99}, {"max", 100}}

// goals are the percentiles that are compared with rivals.
var goals = percentiles[:3]

// windows prints the table of windows and enters it into the figures.
func (p *propagation) windows(w io.Writer, r *report.Result) {
	fmt.Fprintf(w, "Window from Revoke called to refused by Check, in milliseconds: %d nodes in one process, %d/s, %v, median of %d rounds;\nthe maximum, and percentiles for which one round has too few samples, of all together.\n",
		p.Nodes, p.Rate, p.Duration, p.rounds)
	fmt.Fprintf(w, "%s, %s/%s, %d CPUs. \"last\" is the slowest of the other nodes, the security answer. What never arrived counts with %v.\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), p.GiveUp)
	if p.rivals {
		fmt.Fprintf(w, "Rivals carry %d bytes: raw_nats is publish to receive at the same rate; n%d is at %d/s, plain_memberlist at only %d/s.\n", rivalMessage, largeNodes, largeRate, plainRate)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nsubject\tto\tp50\tp90\tp99\tp99.9\tp99.99\tmax\tspread of p50\tsamples\tlost\t")
	lost := 0
	for _, name := range p.order {
		for _, to := range []string{"each", "last"} {
			fmt.Fprintf(t, "%s\t%s\t", name, to)
			for _, q := range percentiles {
				fmt.Fprintf(t, "%s\t", enter(r, prefix(name, to)+q.name+"_ms", p.curves[name], to, q.at))
			}
			p50 := p.values(name, to, 50)
			fmt.Fprintf(t, "%.2f-%.2f\t%d\t%d\t\n", slices.Min(p50), slices.Max(p50), p.samples(name, to), p.lost(name))
		}
		if isRival(name) {
			r.Set(prefix(name, "last")+"lost", float64(p.lost(name)))
		} else {
			lost += p.lost(name)
		}
	}
	t.Flush()
	r.Set("window.lost", float64(lost))
	var behind []float64
	for _, name := range p.order {
		for _, c := range p.curves[name] {
			behind = append(behind, c.Behind...)
		}
	}
	fmt.Fprintf(w, "Calls of Revoke were made at a fixed rate, %s.\n", enterBehind(r, behind))
}

func isRival(name string) bool {
	return strings.HasPrefix(name, "raw_") || strings.HasPrefix(name, "plain_")
}

// prefix begins the name of a figure. Without "each" it is that of the slowest
// node.
func prefix(subject, to string) string {
	name := "window." + subject + "."
	if isRival(subject) {
		name = "rival." + subject + "."
	}
	if to == "each" {
		name += "each."
	}
	return name
}

// values returns a percentile of each round, in milliseconds.
func (p *propagation) values(subject, to string, percent float64) []float64 {
	var v []float64
	for _, c := range p.curves[subject] {
		v = append(v, c.At(to, percent))
	}
	return v
}

func (p *propagation) samples(subject, to string) (n int) {
	for _, c := range p.curves[subject] {
		n += c.Samples(to)
	}
	return n
}

func (p *propagation) lost(subject string) (n int) {
	for _, c := range p.curves[subject] {
		n += c.Lost
	}
	return n
}

// ratios compares within each round and prints the medians. Of NATS it is ours
// divided by the rival, of memberlist the rival divided by ours: that is how
// the goals are put.
func (p *propagation) ratios(w io.Writer, r *report.Result) {
	small := fmt.Sprint(".n", p.Nodes)
	fmt.Fprintln(w)
	enter := func(figure string, better report.Better, a, b []float64) float64 {
		r.Rounds(figure, stats.Ratios(a, b))
		r.Better[figure] = better
		return r.Figures[figure]
	}
	if slices.Contains(p.carriers, "nats") {
		for _, to := range []string{"each", "last"} {
			for _, q := range goals {
				v := enter(prefix("nats"+small, to)+"ratio_"+q.name+".raw_nats", report.Lower, p.values("nats"+small, to, q.at), p.values("raw_nats"+small, to, q.at))
				fmt.Fprintf(w, "nats / raw_nats, %s, %s: %.2f\n", to, q.name, v)
			}
		}
	}
	large := fmt.Sprint(".n", largeNodes)
	for _, q := range goals {
		v := enter("window.gossip"+large+".ratio_"+q.name+".plain_memberlist", report.Higher, p.values("plain_memberlist"+large, "last", q.at), p.values("gossip"+large, "last", q.at))
		fmt.Fprintf(w, "plain_memberlist / gossip, last, %s: %.1f\n", q.name, v)
	}
}
