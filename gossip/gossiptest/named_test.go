package gossiptest

import (
	"errors"
	"flag"
	"testing"
	"time"
)

var namedSeeds = flag.Uint64("sim.named", 100, "seeds of days with named members")

var namedFrom = flag.Uint64("sim.namedfrom", 0, "the first of them")

// namedDay varies the trouble of named members with the seed.
func namedDay(seed uint64) Options {
	opt := Day(seed)
	opt.Named, opt.Store, opt.Rollback, opt.BeatViews = true, false, 0, 0

	opt.Nodes = 3
	if seed%4 == 3 {
		opt.Nodes = 5
	}
	opt.Day = 8 * time.Second
	opt.Wipe = []float64{0, 0.001, 0.002}[seed%3]
	opt.Ghost = 0.5
	return opt
}

// TestSimNamed: days with named members, whose folders are wiped and whose replaced
// processes live on.
func TestSimNamed(t *testing.T) {
	for seed := *namedFrom; seed < *namedFrom+*namedSeeds; seed++ {
		if err := New(seed, namedDay(seed)).Run(); err != nil {
			err = Run(seed, namedDay(seed))
			var f *Failure
			if errors.As(err, &f) {
				t.Fatal(f)
			}
			t.Fatal(seed, err)
		}
	}
}
