package gossiptest

import (
	"flag"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	seeds = flag.Int("sim.seeds", 200, "how many seeds TestSim runs")
	first = flag.Uint64("sim.first", 1, "the first of them; a failing seed replays with -sim.first=N -sim.seeds=1")
)

// TestSim runs each seed by itself, as many at once as there are processors.
func TestSim(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 20)
	}
	var next, failed atomic.Int64
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for i := next.Add(1); i <= int64(n) && failed.Load() < 3; i = next.Add(1) {
				seed := *first + uint64(i-1)
				if err := Run(seed, Day(seed)); err != nil {
					failed.Add(1)
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if failed.Load() >= 3 {
		t.Errorf("gave up after %d of %d seeds", min(next.Load(), int64(n)), n)
	}
}
