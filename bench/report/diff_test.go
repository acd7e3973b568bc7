package report

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// run makes a result of seven rounds, 3 % apart.
func run(seed uint64, middle float64) *Result {
	rng := rand.New(rand.NewPCG(seed, 7))
	r := New("check")
	r.Noise = nil
	for _, name := range []string{"check.1M.g1.ns", "front.rescind.per_second", "front.rescind.ratio.nginx"} {
		var values []float64
		for range 7 {
			values = append(values, middle*(1+0.03*(rng.Float64()-0.5)))
		}
		r.Rounds(name, values)
	}
	return r
}

func verdictsOf(c Comparison) map[string]Verdict {
	out := map[string]Verdict{}
	for _, change := range c.Changes {
		out[change.Figure] = change.Verdict
	}
	return out
}

func TestDiffOfTheSameDataIsNoChange(t *testing.T) {
	c := Diff(run(1, 100), run(1, 100))
	if c.Count(Alike) != 3 || len(c.Changes) != 3 || len(c.Doubts) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestDiffReportsAShift(t *testing.T) {
	got := verdictsOf(Diff(run(1, 100), run(2, 110)))
	for name, want := range map[string]Verdict{"check.1M.g1.ns": Worse, "front.rescind.per_second": Improved, "front.rescind.ratio.nginx": Changed} {
		if got[name] != want {
			t.Errorf("%s rose by a tenth: %q, want %q", name, got[name], want)
		}
	}
	got = verdictsOf(Diff(run(1, 110), run(2, 100)))
	if got["check.1M.g1.ns"] != Improved || got["front.rescind.per_second"] != Worse {
		t.Errorf("fell by a tenth: %v", got)
	}
}

// TestDiffTakesNoiseForNoise: of runs of the same thing, about one in twenty
// figures may look changed, by what the level of the test means.
func TestDiffTakesNoiseForNoise(t *testing.T) {
	tests, found := 0, 0
	for seed := range uint64(200) {
		c := Diff(run(2*seed, 100), run(2*seed+1, 100))
		tests += c.Tests()
		found += c.Count(Worse) + c.Count(Improved) + c.Count(Changed)
	}
	if tests != 600 || found > tests*8/100 || found == 0 {
		t.Errorf("%d of %d look changed", found, tests)
	}
}

func TestDiffOfWhatIsNotTested(t *testing.T) {
	old, new := run(1, 100), run(1, 100)
	old.Set("load.violations", 0)
	new.Set("load.violations", 1)
	old.Set("compare.sidecar.restart_lost", 0)
	new.Set("compare.sidecar.restart_lost", 5)
	old.Set("memory.10000000.peak_bytes", 1e9)
	new.Set("memory.10000000.peak_bytes", 2e9)
	old.Set("sim.seeds", 200)
	new.Set("sim.seeds", 200)
	old.Set("gone.ns", 1)
	new.Set("added.ns", 1)
	old.Rounds("few.ns", []float64{1, 2, 3})
	new.Rounds("few.ns", []float64{10, 20, 30})
	got := verdictsOf(Diff(old, new))
	for name, want := range map[string]Verdict{
		"load.violations": Worse, "compare.sidecar.restart_lost": Worse, "memory.10000000.peak_bytes": Once, "sim.seeds": Alike, "gone.ns": Gone, "added.ns": Added, "few.ns": FewRound,
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

func TestDiffDoubts(t *testing.T) {
	old, new := run(1, 100), run(1, 100)
	new.Machine.Load, new.Machine.Kernel = 7, "other"
	if c := Diff(old, new); len(c.Doubts) != 0 {
		t.Errorf("the same machine under load: %q", c.Doubts)
	}
	new.Machine.CPUs += 2
	new.Setting["rate"], old.Setting["rate"] = 100, 200
	new.Setting["appeared"] = true
	new.Doubt("The fan was loud.")
	c := Diff(old, new)
	for i, part := range []string{"machines differ", "setting appeared", "setting rate", "The fan was loud."} {
		if len(c.Doubts) <= i || !strings.Contains(c.Doubts[i], part) {
			t.Errorf("nothing is said of %q: %q", part, c.Doubts)
		}
	}
}

func TestDiffKnowsWhenItCannotTell(t *testing.T) {
	for _, c := range []struct {
		n, m int
		want bool
	}{{1, 1, false}, {3, 3, false}, {3, 4, false}, {3, 5, true}, {4, 4, true}, {1, 30, false}, {1, 40, true}} {
		if canTell(c.n, c.m) != c.want {
			t.Errorf("%d and %d rounds: %v", c.n, c.m, !c.want)
		}
	}
}
