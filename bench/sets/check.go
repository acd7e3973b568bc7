// Package sets is bench check and bench memory: the filter beside the sets that one
// would use instead.
package sets

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"rescind/bench/ids"
	"rescind/bench/progress"
	"rescind/bench/report"
	"rescind/bench/stats"
)

// settings of one run of bench check.
type settings struct {
	rounds int
	slice  time.Duration // how long each rival is measured in each round
	sizes  []int         // of the plot, ascending, beside 1 M and 10 M
	quick  bool          // no set of more than 1 M
}

const (
	million        = 1_000_000
	mainSize       = million      // where all rivals are compared
	bigSize        = 10 * million // where memory is measured
	hugeSize       = 100 * million
	hugeMemory     = 8 << 30 // free bytes without which hugeSize is left out
	plainMapDesign = "bloom+rwmutex+map"
)

// Check compares the filter with what a user would take instead.
func Check(ctx context.Context, args []string, r *report.Result) error {
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	s := settings{rounds: 11, slice: 300 * time.Millisecond, sizes: []int{1_000, 10_000, 100_000, hugeSize}}
	fs.IntVar(&s.rounds, "rounds", s.rounds, "rounds; the tables show the median of each figure")
	fs.DurationVar(&s.slice, "slice", s.slice, "how long each is measured in each round")
	fs.BoolVar(&s.quick, "quick", false, "5 rounds of 80 ms, and sets up to 1 M only")
	if err := r.Parse(fs, args); err != nil {
		return err
	}
	if s.quick {
		s.rounds, s.slice, s.sizes = 5, 80*time.Millisecond, []int{1_000, 30_000}
	}
	if s.rounds < 1 || s.slice <= 0 {
		return errors.New("use at least 1 round and a slice longer than 0")
	}
	r.Settings("rounds", s.rounds, "slice", s.slice.String())
	r.Title = "The cost of a check"
	bar := progress.New(os.Stderr, s.seconds())
	defer bar.Close()
	run := &run{settings: s, res: r, bar: bar, w: bar.Out(os.Stdout)}
	return run.all(ctx)
}

// seconds is about how long it takes.
func (s settings) seconds() float64 {
	if s.quick {
		return 60
	}
	return 200
}

// run is one run of bench check.
type run struct {
	settings
	res    *report.Result
	bar    *progress.Bar
	w      io.Writer
	missed int // revoked identifiers that were not found, in all measurements
	curve  []curvePoint
}

// all measures part by part, and stops between two if ctx is done.
func (r *run) all(ctx context.Context) error {
	fmt.Fprintf(r.w, "Time of one check, from an identifier of %d bytes to the answer. 1 in %d is revoked; what the sets must read is not in the\nprocessor's caches beforehand. Medians of %d rounds of %v, all rivals in turn in each round. %s, %s/%s, %d CPUs.\n",
		ids.Len, ids.OneIn, r.rounds, r.slice, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	r.res.Note(fmt.Sprintf("Time of one check, from an identifier of %d bytes to the answer, without parsing a token. 1 in %d is revoked; what the sets must read is not in the processor's caches beforehand, as the identifiers of strangers are not. "+
		"Medians of %d rounds of %v, all rivals in turn in each round.", ids.Len, ids.OneIn, r.rounds, r.slice))
	parts := []struct {
		name   string
		weight float64 // about its seconds
		run    func()
	}{
		{"small sets", 10, r.small}, {"1 M entries, all rivals", 30, r.oneMillion}, {"whole tokens", 8, r.wholeToken}, {"beside writes", 10, r.underWrites}, {"adding", 2, r.adds},
		{"10 M entries", 40, r.tenMillion}, {"100 M entries", 100, r.huge},
	}
	if r.quick {
		parts = parts[:5]
	}
	for _, p := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.bar.Step(p.weight, "%s", p.name)
		p.run()
		runtime.GC()
	}
	r.plot()
	r.res.Set("check.false_negatives", float64(r.missed))
	r.res.HighlightZero(r.missed, "revoked identifiers that were not found, in all measurements")
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
		before := stats.Heap()
		set := x.make(n)
		for i := range n {
			set.Add(ids.Identifier(uint64(i)))
		}
		set.check(nil) // builds what is built once
		c.names, c.sets = append(c.names, x.name), append(c.sets, set)
		c.bytes = append(c.bytes, float64(stats.Heap()-before)/float64(n))
	}
	c.one, c.two = make([][]float64, len(c.sets)), make([][]float64, len(c.sets))
	return c
}

// measure runs the rounds and counts what was missed.
func (r *run) measure(c *contest) {
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
func (r *run) oneMillion() {
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
	r.res.Rounds("check.1M.g1.ns", c.one[0])
	r.res.Rounds("check.1M.g2.ns", c.two[0])
	r.res.Rounds("check.1M.g1.ratio.floor", stats.Ratios(c.one[0], c.one[floor]))
	r.res.Rounds("check.1M.g2.ratio.floor", stats.Ratios(c.two[0], c.two[floor]))
	r.res.Rounds("check.1M.g1.ratio.bloom_rwmutex_map", stats.Ratios(c.one[plain], c.one[0]))
	r.res.Rounds("check.1M.g2.ratio.bloom_rwmutex_map", stats.Ratios(c.two[plain], c.two[0]))
	r.res.Rounds("check.1M.scaling2", stats.Ratios(c.one[0], c.two[0]))
	for _, g := range []string{"g1", "g2"} {
		r.res.Better["check.1M."+g+".ratio.floor"] = report.Lower
		r.res.Better["check.1M."+g+".ratio.bloom_rwmutex_map"] = report.Higher
	}
	src := ids.NewSource(mainSize, 1)
	src.Next()
	r.res.Set("check.1M.g1.allocs", testing.AllocsPerRun(100, func() { c.sets[0].check(src.IDs[:]) })/ids.Chunk)
	fmt.Fprintf(r.w, "\nOurs: %.2f x the floor (two goroutines %.2f x), %g allocations a check, two goroutines %.2f x the throughput of one.\n",
		r.res.Figures["check.1M.g1.ratio.floor"], r.res.Figures["check.1M.g2.ratio.floor"], r.res.Figures["check.1M.g1.allocs"], r.res.Figures["check.1M.scaling2"])
	r.curve = append(r.curve, curveOf(c))
	r.res.Highlight(report.Number(stats.Median(c.one[0]))+" ns", "for a check, 1 M revocations held")
	r.res.Highlight(report.Number(r.res.Figures["check.1M.g1.ratio.bloom_rwmutex_map"])+" ×", "faster than a Bloom filter, an RWMutex and a map")
	r.res.Highlight(report.Number(r.res.Figures["check.1M.g1.allocs"]), "allocations for a check")
}

func (r *run) tenMillion() {
	c := fill(bigSize, rivals[0].name, "floor", plainMapDesign)
	r.measure(c)
	fmt.Fprintf(r.w, "\n10 M live entries.\n\n")
	r.table(c)
	floor, plain := c.index("floor"), c.index(plainMapDesign)
	r.res.Rounds("check.10M.ns", c.one[0])
	r.res.Rounds("check.10M.ratio.floor", stats.Ratios(c.one[0], c.one[floor]))
	r.res.Rounds("check.10M.ratio.bloom_rwmutex_map", stats.Ratios(c.one[plain], c.one[0]))
	r.res.Rounds("check.10M.g2.ratio.bloom_rwmutex_map", stats.Ratios(c.two[plain], c.two[0]))
	r.res.Set("check.10M.bytes_per_entry", c.bytes[0])
	r.res.Set("check.10M.bytes_per_entry.bloom_rwmutex_map", c.bytes[plain])
	r.curve = append(r.curve, curveOf(c))
	c = nil // the next needs the memory
	r.memory()
}
