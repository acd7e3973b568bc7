package gossiptest

import (
	"flag"
	"testing"
	"time"
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
	for seed := *first; seed < *first+uint64(n); seed++ {
		if err := New(seed, badDay(seed)).Run(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// badDay varies the trouble with the seed.
func badDay(seed uint64) Options {
	opt := Options{
		Nodes:     3 + int(seed%4),
		Day:       5 * time.Second,
		Bound:     20 * time.Second,
		Loss:      float64(seed%6) / 10,
		Duplicate: 0.1,
		Delay:     time.Duration(seed%5) * 40 * time.Millisecond,
		Commit:    20 * time.Millisecond,
		Write:     0.01,
		Cut:       0.005,
		Crash:     0.002,
	}
	if seed%3 == 0 {
		opt.Rollback = 0.3
	}
	return opt
}
