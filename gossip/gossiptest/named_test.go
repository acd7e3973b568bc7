package gossiptest

import (
	"errors"
	"flag"
	"testing"
	"time"
)

var namedSeeds = flag.Uint64("sim.named", 100, "seeds of days with named members")

var namedFrom = flag.Uint64("sim.namedfrom", 0, "the first of them")

// Folders that go back while others are restarted are not all told so: see the known
// limits in docs/protocol.md. TestFolderThatWentBack has the case that is.
var namedBack = flag.Float64("sim.namedback", 0, "how many crashes replace a folder by an older copy that a majority knows to be older")

// namedDay varies the trouble of named members with the seed.
func namedDay(seed uint64) Options {
	opt := Day(seed)
	opt.Named, opt.Store, opt.BeatViews, opt.Night, opt.ForgetAfter = true, false, 0, 0, 0
	opt.Rollback = *namedBack
	opt.Part = []float64{0, 0.001, 0.002}[seed/3%3]
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

// TestFolderThatWentBack: a member whose folder was replaced by an older copy hears only
// one that knows so. It does not count itself before that one has said what it knows.
func TestFolderThatWentBack(t *testing.T) {
	s := scenario{New(1, Options{Nodes: 3, Named: true, Commit: 4 * time.Millisecond}), t}
	s.run(3 * time.Second)
	old := s.nodes[2].disk.clone()
	for _, cut := range [][2]int{{0, 1}, {1, 0}, {1, 2}} { // n1 hears what n2 states, and can't get it
		s.cut[cut] = never
	}
	before := len(s.acked)
	s.writes(0, 3)
	s.run(2500 * time.Millisecond) // what is stated is stored up to a second late
	if len(s.acked) == before {
		t.Fatal("n0 and n2 acknowledge nothing")
	}
	s.down(0)
	s.down(2)
	s.nodes[2].disk = old
	clear(s.cut)
	s.run(100 * time.Millisecond) // its first heartbeat is answered before it has heard one
	s.up(2)
	s.run(3 * time.Second) // steps check that nobody understates
	if s.known(2) {
		t.Error("a folder that went back counts itself")
	}
	s.up(0)
	s.complete(2)
}
