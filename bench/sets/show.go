package sets

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"rescind/bench/report"
	"rescind/bench/stats"
)

// figureName is what figures call a rival.
func figureName(rival string) string { return strings.ReplaceAll(rival, "+", "_") }

// table prints a contest and puts it on the page.
func (r *run) table(c *contest) {
	t := tabwriter.NewWriter(r.w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tns\tspread\tratio\tns, two goroutines\tspread\tratio\tbytes/entry\t")
	shown := report.Table{Title: fmt.Sprintf("%s live entries", report.Number(float64(c.n))), Columns: []string{"", "ns", "quartiles", "times ours", "ns, two goroutines", "quartiles", "times ours", "bytes/entry"}}
	bars := [2]report.Bars{}
	for i, name := range c.names {
		low1, high1 := stats.Quartiles(c.one[i])
		low2, high2 := stats.Quartiles(c.two[i])
		fmt.Fprintf(t, "%s\t%.1f\t%.0f-%.0f\t%.2f\t%.1f\t%.0f-%.0f\t%.2f\t%.1f\t\n", name,
			stats.Median(c.one[i]), low1, high1, stats.Median(stats.Ratios(c.one[i], c.one[0])), stats.Median(c.two[i]), low2, high2, stats.Median(stats.Ratios(c.two[i], c.two[0])), c.bytes[i])
		shown.Row(name, stats.Median(c.one[i]), fmt.Sprintf("%.0f-%.0f", low1, high1), stats.Median(stats.Ratios(c.one[i], c.one[0])),
			stats.Median(c.two[i]), fmt.Sprintf("%.0f-%.0f", low2, high2), stats.Median(stats.Ratios(c.two[i], c.two[0])), c.bytes[i])
		bars[0].Bars = append(bars[0].Bars, report.Bar{Name: name, Value: stats.Median(c.one[i]), Low: low1, High: high1, Ours: i == 0})
		bars[1].Bars = append(bars[1].Bars, report.Bar{Name: name, Value: stats.Median(c.two[i]), Low: low2, High: high2, Ours: i == 0})
	}
	t.Flush()
	r.res.Heading(fmt.Sprintf("%s live entries", report.Number(float64(c.n))))
	for i, b := range bars {
		b.Title = fmt.Sprintf("Time of one check, %s", []string{"one goroutine", "two goroutines (wall time)"}[i])
		b.Value = report.Axis{Label: "Time", Unit: "ns"}
		b.Caption = "Shorter is better. Whiskers: half of the rounds lie within."
		r.res.Bars(b)
	}
	shown.Caption = notesOf(c.names)
	r.res.Table(shown)
}

// notesOf says what the rivals are, where their names do not.
func notesOf(names []string) string {
	var notes []string
	for _, x := range rivals {
		if x.note != "" && slices.Contains(names, x.name) {
			notes = append(notes, x.name+": "+x.note+".")
		}
	}
	return strings.Join(notes, " ")
}

// curvePoint is what the plot shows of one size.
type curvePoint struct {
	n  int
	ns map[string][]float64 // by rival, one value a round
}

// curveNames are the rivals of the plot.
var curveNames = []string{rivals[0].name, "floor", plainMapDesign}

func curveOf(c *contest) curvePoint {
	p := curvePoint{n: c.n, ns: map[string][]float64{}}
	for _, name := range curveNames {
		if i := c.index(name); i >= 0 {
			p.ns[name] = c.one[i]
		}
	}
	return p
}

// small measures the sets below 1 M.
func (r *run) small() {
	for _, n := range r.sizes {
		if n < mainSize {
			c := fill(n, curveNames...)
			r.measure(c)
			r.curve = append(r.curve, curveOf(c))
		}
	}
}

// huge measures the set of 100 M, ours alone: the plain design would take more
// memory than most machines have.
func (r *run) huge() {
	if free := availableMemory(); free < hugeMemory {
		text := fmt.Sprintf("100 M entries were left out: %.1f GiB of memory are free, and %d GiB are wanted for them.", free/(1<<30), hugeMemory>>30)
		fmt.Fprintln(r.w, "\n"+text)
		r.res.Note(text)
		return
	}
	for _, n := range r.sizes {
		if n == hugeSize {
			c := fill(n, curveNames[:2]...)
			r.measure(c)
			r.curve = append(r.curve, curveOf(c))
		}
	}
}

// plot draws the time of a check by the size of the set.
func (r *run) plot() {
	const width = 60
	longest := 0.0
	for _, p := range r.curve {
		for _, ns := range p.ns {
			longest = max(longest, stats.Median(ns))
		}
	}
	fmt.Fprintf(r.w, "\nTime of one check by set size, one goroutine:\n")
	lines := make([]report.Line, len(curveNames))
	for _, p := range r.curve {
		fmt.Fprintf(r.w, "\n%10d entries\n", p.n)
		for i, name := range curveNames {
			ns, measured := p.ns[name]
			if !measured {
				continue
			}
			middle := stats.Median(ns)
			low, high := stats.Quartiles(ns)
			fmt.Fprintf(r.w, "%18s %s %.0f ns\n", name, strings.Repeat("▇", max(1, int(middle/longest*width))), middle)
			r.res.Rounds(fmt.Sprintf("check.curve.%d.%s.ns", p.n, figureName(name)), ns)
			l := &lines[i]
			l.Name, l.Points, l.Dashed = name, true, i > 0
			l.X, l.Y, l.Low, l.High = append(l.X, float64(p.n)), append(l.Y, middle), append(l.Low, low), append(l.High, high)
		}
	}
	r.res.Heading("By the size of the set")
	r.res.Lines(report.Lines{Title: "Time of one check by the size of the set, one goroutine", X: report.Axis{Label: "Entries", Log: true}, Y: report.Axis{Label: "Time of a check", Unit: "ns"}, Lines: lines,
		Caption: "Sets that fit into the processor's caches are faster. The floor hashes and reads one cache line, and answers nothing: less is not possible. Band: half of the rounds."})
}
