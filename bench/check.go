package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"rescind/bench/report"
)

// checkSettings of one run of bench check.
type checkSettings struct {
	rounds int
	slice  time.Duration // how long each rival is measured in each round
	sizes  []int         // of the plot, ascending; 1 M and 10 M are always measured
}

const (
	million        = 1_000_000
	mainSize       = million      // where all rivals are compared
	bigSize        = 10 * million // where memory is measured
	plainMapDesign = "bloom+rwmutex+map"
)

// runCheck compares the filter with what a user would take instead.
func runCheck(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	s := checkSettings{rounds: 11, slice: 300 * time.Millisecond, sizes: []int{1_000, 10_000, 100_000}}
	fs.IntVar(&s.rounds, "rounds", s.rounds, "rounds; the tables show the median of each figure")
	fs.DurationVar(&s.slice, "slice", s.slice, "how long each is measured in each round")
	quick := fs.Bool("quick", false, "5 rounds of 150 ms, and fewer sizes in the plot")
	if err := parse(fs, args, r); err != nil {
		return err
	}
	if *quick {
		s.rounds, s.slice, s.sizes = 5, 150*time.Millisecond, []int{10_000}
	}
	if s.rounds < 1 || s.slice <= 0 {
		return errors.New("use at least 1 round and a slice longer than 0")
	}
	r.Settings("rounds", s.rounds, "slice", s.slice.String())
	run := &checkRun{checkSettings: s, w: os.Stdout, figures: r.Figures}
	return run.all(ctx)
}

// checkRun is one run of bench check.
type checkRun struct {
	checkSettings
	w       io.Writer
	figures map[string]float64
	missed  int // revoked identifiers that were not found, in all measurements
	curve   []curvePoint
}

// all measures part by part, and stops between two if ctx is done.
func (r *checkRun) all(ctx context.Context) error {
	fmt.Fprintf(r.w, "Time of one check, from an identifier of %d bytes to the answer. 1 in %d is revoked; what the sets must read is not in the\nprocessor's caches beforehand. Medians of %d rounds of %v, all rivals in turn in each round. %s, %s/%s, %d CPUs.\n",
		idLen, oneIn, r.rounds, r.slice, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, part := range []func(){r.curveBelow, r.oneMillion, r.wholeToken, r.underWrites, r.adds, r.tenMillion, r.plot} {
		if err := ctx.Err(); err != nil {
			return err
		}
		part()
		runtime.GC()
	}
	r.figures["check.false_negatives"] = float64(r.missed)
	fmt.Fprintf(r.w, "\nRevoked identifiers that were not found, in all of the above: %d.\n", r.missed)
	return nil
}

// contest is some rivals of one size and what was measured of them.
type contest struct {
	n     int
	names []string
	sets  []rival
	bytes []float64 // heap per entry
	one   [][]float64
	two   [][]float64
}

// fill makes the rivals that are called so and adds identifiers 0 to n-1.
func fill(n int, names ...string) *contest {
	c := &contest{n: n}
	for _, x := range rivals {
		if len(names) > 0 && !slices.Contains(names, x.name) {
			continue
		}
		before := heap()
		set := x.make(n)
		for i := range n {
			set.add(identifier(uint64(i)))
		}
		set.check(nil) // builds what is built once
		c.names, c.sets = append(c.names, x.name), append(c.sets, set)
		c.bytes = append(c.bytes, float64(heap()-before)/float64(n))
	}
	c.one, c.two = make([][]float64, len(c.sets)), make([][]float64, len(c.sets))
	return c
}

// measure runs the rounds and counts what was missed.
func (r *checkRun) measure(c *contest) {
	for range r.rounds {
		for i, set := range c.sets {
			one, two := measureChecks(set, c.n, 1, r.slice), measureChecks(set, c.n, 2, r.slice)
			c.one[i], c.two[i] = append(c.one[i], one.ns), append(c.two[i], two.ns)
			if c.names[i] == rivals[0].name {
				r.missed += one.missed + two.missed
			}
		}
	}
}

// index returns the place of a rival.
func (c *contest) index(name string) int { return slices.Index(c.names, name) }

// oneMillion compares all rivals.
func (r *checkRun) oneMillion() {
	c := fill(mainSize)
	r.measure(c)
	fmt.Fprintf(r.w, "\n1 M live entries. Two goroutines: wall time per check. Ratio: how many times slower than rescind, median of the rounds.\n\n")
	r.table(c)
	fmt.Fprintln(r.w)
	for _, x := range rivals {
		if x.note != "" {
			fmt.Fprintf(r.w, "%18s: %s\n", x.name, x.note)
		}
	}
	floor, plain := c.index("floor"), c.index(plainMapDesign)
	r.figures["check.1M.g1.ns"] = mid(c.one[0])
	r.figures["check.1M.g2.ns"] = mid(c.two[0])
	r.figures["check.1M.g1.ratio.floor"] = mid(ratios(c.one[0], c.one[floor]))
	r.figures["check.1M.g2.ratio.floor"] = mid(ratios(c.two[0], c.two[floor]))
	r.figures["check.1M.g1.ratio.bloom_rwmutex_map"] = mid(ratios(c.one[plain], c.one[0]))
	r.figures["check.1M.g2.ratio.bloom_rwmutex_map"] = mid(ratios(c.two[plain], c.two[0]))
	r.figures["check.1M.scaling2"] = mid(ratios(c.one[0], c.two[0]))
	ids := newSource(mainSize, 1)
	ids.next()
	r.figures["check.1M.g1.allocs"] = testing.AllocsPerRun(100, func() { c.sets[0].check(ids.ids[:]) }) / chunk
	fmt.Fprintf(r.w, "\nOurs: %.2f x the floor (two goroutines %.2f x), %g allocations a check, two goroutines %.2f x the throughput of one.\n",
		r.figures["check.1M.g1.ratio.floor"], r.figures["check.1M.g2.ratio.floor"], r.figures["check.1M.g1.allocs"], r.figures["check.1M.scaling2"])
	r.curve = append(r.curve, curveOf(c))
}

func (r *checkRun) tenMillion() {
	c := fill(bigSize, rivals[0].name, "floor", plainMapDesign)
	r.measure(c)
	fmt.Fprintf(r.w, "\n10 M live entries.\n\n")
	r.table(c)
	floor, plain := c.index("floor"), c.index(plainMapDesign)
	r.figures["check.10M.ns"] = mid(c.one[0])
	r.figures["check.10M.ratio.floor"] = mid(ratios(c.one[0], c.one[floor]))
	r.figures["check.10M.ratio.bloom_rwmutex_map"] = mid(ratios(c.one[plain], c.one[0]))
	r.figures["check.10M.g2.ratio.bloom_rwmutex_map"] = mid(ratios(c.two[plain], c.two[0]))
	r.figures["check.10M.bytes_per_entry"] = c.bytes[0]
	r.figures["check.10M.bytes_per_entry.bloom_rwmutex_map"] = c.bytes[plain]
	r.curve = append(r.curve, curveOf(c))
	c = nil // the next needs the memory
	r.memory()
}

func (r *checkRun) table(c *contest) {
	t := tabwriter.NewWriter(r.w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tns\tspread\tratio\tns, two goroutines\tspread\tratio\tbytes/entry\t")
	for i, name := range c.names {
		low1, high1 := quartiles(c.one[i])
		low2, high2 := quartiles(c.two[i])
		fmt.Fprintf(t, "%s\t%.1f\t%.0f-%.0f\t%.2f\t%.1f\t%.0f-%.0f\t%.2f\t%.1f\t\n", name,
			mid(c.one[i]), low1, high1, mid(ratios(c.one[i], c.one[0])), mid(c.two[i]), low2, high2, mid(ratios(c.two[i], c.two[0])), c.bytes[i])
	}
	t.Flush()
}

// curvePoint is what the plot shows of one size.
type curvePoint struct {
	n  int
	ns [3]float64 // as curveNames
}

var curveNames = [3]string{rivals[0].name, "floor", plainMapDesign}

func curveOf(c *contest) curvePoint {
	p := curvePoint{n: c.n}
	for i, name := range curveNames {
		p.ns[i] = mid(c.one[c.index(name)])
	}
	return p
}

func (r *checkRun) curveBelow() {
	for _, n := range r.sizes {
		c := fill(n, curveNames[:]...)
		r.measure(c)
		r.curve = append(r.curve, curveOf(c))
	}
}

// plot draws one bar for each rival and size.
func (r *checkRun) plot() {
	const width = 60
	longest := 0.0
	for _, p := range r.curve {
		longest = max(longest, p.ns[0], p.ns[1], p.ns[2])
	}
	fmt.Fprintf(r.w, "\nTime of one check by set size, one goroutine:\n")
	for _, p := range r.curve {
		fmt.Fprintf(r.w, "\n%10d entries\n", p.n)
		for i, name := range curveNames {
			fmt.Fprintf(r.w, "%18s %s %.0f ns\n", name, strings.Repeat("▇", max(1, int(p.ns[i]/longest*width))), p.ns[i])
			r.figures[fmt.Sprintf("check.curve.%d.%s.ns", p.n, strings.ReplaceAll(name, "+", "_"))] = p.ns[i]
		}
	}
}
