// Package consume is bench consume: how often a one-time token is used twice, and
// the price of never.
package consume

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"

	"rescind/bench/report"
	"rescind/bench/stats"
)

// settings of one run of 'bench consume'.
type settings struct {
	pairs    int           // tokens used on both nodes, for each gap
	duration time.Duration // of each measurement of throughput
	rounds   int
	callers  int // that use tokens at once
	dir      string
}

// gaps are the times between the two uses of one token.
var gaps = []time.Duration{
	0, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond,
}

// bucketCounts are over how many buckets strict tokens are spread.
var bucketCounts = []int{1, 4, 16}

// doubleResult is what became of the tokens of one gap.
type doubleResult struct {
	gap            time.Duration
	pairs, doubles int
	detected       int             // of the doubles, those that the nodes found out
	measured       []time.Duration // gaps between the calls; sorted in the end
}

// rate is one measurement of throughput.
type rate struct {
	buckets   int // 0: mode available
	perSecond float64
	p50, p99  time.Duration
}

// Run measures what mode available lets pass, and what mode strict costs.
func Run(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("consume", flag.ContinueOnError)
	s := settings{}
	fs.IntVar(&s.pairs, "pairs", 5000, "tokens used on both nodes, for each gap between the uses")
	fs.DurationVar(&s.duration, "duration", 4*time.Second, "how long to measure each throughput")
	fs.IntVar(&s.rounds, "rounds", 3, "rounds of the throughput; the table shows the medians")
	fs.IntVar(&s.callers, "callers", 64, "callers that use tokens at once")
	fs.StringVar(&s.dir, "dir", os.TempDir(), "folder on the disk to measure")
	quick := fs.Bool("quick", false, "fewer tokens, one short round")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if *quick {
		s.pairs, s.duration, s.rounds = 500, time.Second, 1
	}
	if s.pairs < 1 || s.duration <= 0 || s.rounds < 1 || s.callers < 1 {
		return errors.New("use at least 1 pair, 1 round, 1 caller and a duration")
	}
	dir, err := os.MkdirTemp(s.dir, "rescind-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	doubles, err := measureDoubles(ctx, filepath.Join(dir, "doubles"), s)
	if err != nil {
		return err
	}
	rates := map[int][]rate{}
	for round := range s.rounds {
		for _, buckets := range append([]int{0}, bucketCounts...) { // interleaved, so that a noisy moment hits all
			r, err := measureRate(ctx, filepath.Join(dir, fmt.Sprint(round, "-", buckets)), buckets, s)
			if err != nil {
				return fmt.Errorf("%d buckets: %w", buckets, err)
			}
			rates[buckets] = append(rates[buckets], r)
		}
	}
	printConsume(os.Stdout, s, doubles, rates)
	s.enter(doubles, rates, r)
	return nil
}

// at returns a percentile of the measured gaps.
func (r doubleResult) at(percent int) time.Duration { return r.measured[len(r.measured)*percent/100] }

func (r doubleResult) perMillion() float64 { return float64(r.doubles) / float64(r.pairs) * 1e6 }

func printConsume(w io.Writer, s settings, doubles []doubleResult, rates map[int][]rate) {
	fmt.Fprintf(w, "Mode available: %d tokens for each gap, used on both of two nodes in one process (memberlist and NATS).\n", s.pairs)
	fmt.Fprintf(w, "%s, %s/%s, %d CPUs.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "gap\tmeasured gap p50\tp99\tused twice\tper million\tfound out\t")
	for _, r := range doubles {
		fmt.Fprintf(t, "%v\t%v\t%v\t%d\t%.0f\t%d\t\n", r.gap, r.at(50).Round(time.Microsecond), r.at(99).Round(time.Microsecond), r.doubles, r.perMillion(), r.detected)
	}
	t.Flush()
	fmt.Fprintf(w, "\nUses per second on one node with %d callers; strict with the embedded server, one replica, each write synced; %v, median of %d rounds.\n\n", s.callers, s.duration, s.rounds)
	fmt.Fprintln(t, "mode\tbuckets\tper second\tp50 ms\tp99 ms\t")
	for _, buckets := range append([]int{0}, bucketCounts...) {
		mode, name := "strict", fmt.Sprint(buckets)
		if buckets == 0 {
			mode, name = "available", "-"
		}
		all := rates[buckets]
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.2f\t%.2f\t\n", mode, name, medianRate(all, func(r rate) float64 { return r.perSecond }),
			medianRate(all, func(r rate) float64 { return stats.Millis(r.p50) }), medianRate(all, func(r rate) float64 { return stats.Millis(r.p99) }))
	}
	t.Flush()
}

func medianRate(all []rate, f func(rate) float64) float64 {
	values := make([]float64, len(all))
	for i, r := range all {
		values[i] = f(r)
	}
	return stats.Median(values)
}

// enter puts what was measured into the result.
func (s settings) enter(doubles []doubleResult, rates map[int][]rate, r *report.Result) {
	r.Settings("pairs", s.pairs, "duration", s.duration.String(), "rounds", s.rounds, "callers", s.callers)
	figures := r.Figures
	for _, d := range doubles {
		name := fmt.Sprintf("consume.available.gap_%dus.", d.gap.Microseconds())
		figures[name+"doubles_per_million"] = d.perMillion()
		figures[name+"doubles"] = float64(d.doubles)
		figures[name+"detected"] = float64(d.detected)
	}
	line := report.Line{Name: "used on both nodes", Points: true}
	found := 0
	for _, d := range doubles {
		line.X, line.Y = append(line.X, stats.Millis(d.at(50))), append(line.Y, 100*float64(d.doubles)/float64(d.pairs))
		found += d.doubles - d.detected
	}
	r.Title = "One-time tokens"
	r.HighlightZero(found, "double uses that the nodes did not find out")
	r.Note("Mode available: a token is used on one of two nodes and, a gap later, on the other. What falls into the propagation window is used twice, and found out when the two uses meet.")
	r.Lines(report.Lines{Title: "Tokens used twice, by the time between the two uses", X: report.Axis{Label: "Time between the uses (median)", Unit: "ms", Log: true}, Y: report.Axis{Label: "Used twice", Unit: "%"}, Lines: []report.Line{line}})
	t := report.Table{Title: fmt.Sprintf("Uses a second on one node, %d callers", s.callers), Columns: []string{"mode", "per second", "p50 ms", "p99 ms"}, Caption: "strict: the embedded server with one replica, each write synced, spread over so many buckets."}
	for _, buckets := range append([]int{0}, bucketCounts...) {
		name, mode := fmt.Sprintf("consume.strict.b%d.", buckets), fmt.Sprintf("strict, %d buckets", buckets)
		if buckets == 0 {
			name, mode = "consume.available.", "available"
		}
		row := []any{mode}
		for _, f := range []struct {
			name string
			of   func(rate) float64
		}{{"per_second", func(r rate) float64 { return r.perSecond }}, {"p50_ms", func(r rate) float64 { return stats.Millis(r.p50) }}, {"p99_ms", func(r rate) float64 { return stats.Millis(r.p99) }}} {
			var values []float64
			for _, one := range rates[buckets] {
				values = append(values, f.of(one))
			}
			r.Rounds(name+f.name, values)
			row = append(row, stats.Median(values))
		}
		t.Row(row...)
	}
	r.Table(t)
}
