package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// Verdict says what became of a figure.
type Verdict string

// The verdicts, in the order in which they are shown. A figure that was
// measured once cannot be told from noise; a count can.
const (
	Worse    Verdict = "worse"
	Improved Verdict = "better"
	Changed  Verdict = "changed" // beyond the noise; which way is good is not known
	Alike    Verdict = "no difference beyond the noise"
	FewRound Verdict = "too few rounds to tell"
	Once     Verdict = "measured once: can't be told from noise"
	Gone     Verdict = "only in the old"
	Added    Verdict = "only in the new"
)

var verdicts = []Verdict{Worse, Improved, Changed, Alike, FewRound, Once, Gone, Added}

// Change is one figure in two results.
type Change struct {
	Figure   string
	Old, New float64 // medians of the rounds
	P        float64 // how likely noise alone sets the rounds so far apart; NaN: not tested
	Rounds   [2]int  // in the old and in the new
	Verdict  Verdict
}

// Comparison is two results side by side.
type Comparison struct {
	Doubts  []string // why the difference may not be Rescind's
	Changes []Change // by verdict, then by name
}

// Diff compares two results as benchstat does: medians, and the Mann-Whitney
// U test on the rounds at a level of 5 %.
func Diff(old, new *Result) Comparison {
	var c Comparison
	if !old.Machine.Same(new.Machine) {
		c.Doubts = append(c.Doubts, fmt.Sprintf("The machines differ, and with them most figures: %s; %s.", old.Machine, new.Machine))
	}
	if old.Name != new.Name {
		c.Doubts = append(c.Doubts, fmt.Sprintf("The commands differ: bench %s, bench %s.", old.Name, new.Name))
	}
	settings := maps.Clone(old.Setting)
	maps.Copy(settings, new.Setting)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		was, is := fmt.Sprint(old.Setting[name]), fmt.Sprint(new.Setting[name])
		if was != is {
			c.Doubts = append(c.Doubts, fmt.Sprintf("The setting %s differs: %s, %s.", name, was, is))
		}
	}
	for _, which := range []struct {
		r    *Result
		name string
	}{{old, "old"}, {new, "new"}} {
		if len(which.r.Noise) > 0 {
			c.Doubts = append(c.Doubts, fmt.Sprintf("The %s run was noisy: %s", which.name, strings.Join(which.r.Noise, " ")))
		}
	}
	names := maps.Clone(old.Figures)
	maps.Copy(names, new.Figures)
	for name := range names {
		c.Changes = append(c.Changes, compare(old, new, name))
	}
	slices.SortFunc(c.Changes, func(a, b Change) int {
		if a.Verdict != b.Verdict {
			return slices.Index(verdicts, a.Verdict) - slices.Index(verdicts, b.Verdict)
		}
		return strings.Compare(a.Figure, b.Figure)
	})
	return c
}

func compare(old, new *Result, figure string) Change {
	was, before := old.Figures[figure]
	is, after := new.Figures[figure]
	a, b := old.Samples[figure], new.Samples[figure]
	c := Change{Figure: figure, Old: was, New: is, P: math.NaN(), Rounds: [2]int{len(a), len(b)}}
	switch {
	case !before:
		c.Verdict = Added
	case !after:
		c.Verdict = Gone
	case len(a) > 0 && len(b) > 0 && !canTell(len(a), len(b)) && !sameValues(a, b):
		c.Verdict = FewRound
	case len(a) > 0 && len(b) > 0:
		t := benchmath.DefaultThresholds
		result := benchmath.AssumeNothing.Compare(benchmath.NewSample(slices.Clone(a), &t), benchmath.NewSample(slices.Clone(b), &t))
		c.P = result.P
		c.Verdict = Alike
		if was != is && result.P < result.Alpha {
			c.Verdict = judge(new.Direction(figure), was, is)
		}
	case was == is:
		c.Verdict = Alike
	case isCount(figure):
		c.Verdict = judge(new.Direction(figure), was, is)
	default:
		c.Verdict = Once
	}
	return c
}

// canTell reports whether the test can find any difference, however large, with
// so many rounds: where all of one lie above all of the other, which noise does
// in 2 of the possible orders.
func canTell(n, m int) bool {
	orders := 1.0
	for i := range m {
		orders *= float64(n+i+1) / float64(i+1)
	}
	return 2/orders < benchmath.DefaultThresholds.CompareAlpha
}

// sameValues reports whether both hold one value only, and the same.
func sameValues(a, b []float64) bool {
	return slices.Min(a) == slices.Max(b) && slices.Max(a) == slices.Min(b)
}

func judge(good Better, was, is float64) Verdict {
	switch {
	case good == Unknown:
		return Changed
	case (good == Lower) == (is < was):
		return Improved
	default:
		return Worse
	}
}

// isCount reports whether a figure counts what should never happen, so that
// noise is no excuse.
func isCount(figure string) bool {
	last := figure[strings.LastIndexByte(figure, '.')+1:]
	for _, what := range []string{"lost", "leaked", "violations", "understated", "false_negatives", "allocs", "failed", "wrong", "refused_live", "skipped"} {
		if last == what || strings.HasSuffix(last, "_"+what) {
			return true
		}
	}
	return false
}

// String says what the machine is.
func (m Machine) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s, %d CPUs, %s/%s, %.1f GiB, %s", m.CPU, m.CPUs, m.OS, m.Arch, m.Memory/(1<<30), m.Go))
}

// Count returns how many figures have the verdict.
func (c Comparison) Count(v Verdict) (n int) {
	for _, change := range c.Changes {
		if change.Verdict == v {
			n++
		}
	}
	return n
}

// Tests returns how many figures were tested against noise. One in twenty of
// them looks changed by chance alone.
func (c Comparison) Tests() (n int) {
	for _, change := range c.Changes {
		if !math.IsNaN(change.P) {
			n++
		}
	}
	return n
}

// Table lists the changes of one verdict.
func (c Comparison) Table(v Verdict) Table {
	t := Table{Title: strings.ToUpper(string(v[:1])) + string(v[1:]), Columns: []string{"figure", "old", "new", "change", "p", "rounds"}}
	for _, change := range c.Changes {
		if change.Verdict != v {
			continue
		}
		by, p, rounds := "", "", ""
		if change.Old != 0 && v != Added && v != Gone {
			by = fmt.Sprintf("%+.1f %%", 100*(change.New/change.Old-1))
		}
		if !math.IsNaN(change.P) {
			p, rounds = fmt.Sprintf("%.3f", change.P), fmt.Sprintf("%d+%d", change.Rounds[0], change.Rounds[1])
		}
		t.Row(change.Figure, change.Old, change.New, by, p, rounds)
	}
	return t
}
