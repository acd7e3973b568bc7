package gossiptest

import (
	"flag"
	"testing"
)

var (
	seeds = flag.Int("sim.seeds", 200, "how many seeds TestSim runs")
	first = flag.Uint64("sim.first", 1, "the first of them; a failing seed replays with -sim.first=N -sim.seeds=1")
)

func TestSim(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 20)
	}
	failed := 0
	for seed := *first; seed < *first+uint64(n); seed++ {
		if err := Run(seed, Day(seed)); err != nil {
			t.Error(err)
			if failed++; failed == 3 {
				t.Fatalf("gave up after %d of %d seeds", seed-*first+1, n)
			}
		}
	}
}
