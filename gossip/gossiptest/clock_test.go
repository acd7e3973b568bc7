package gossiptest

import (
	"testing"
	"time"
)

// TestClockTenMinutesOff: a node that starts with such a clock, ahead or behind,
// does not become ready until it is set right, and then holds everything. The
// others go on, and nobody drops anything early or sees it return.
func TestClockTenMinutesOff(t *testing.T) {
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute, 24 * time.Hour, -24 * time.Hour} {
		s := newScenario(t, 3)
		s.writes(0, 20)
		s.run(time.Second)
		s.down(2)
		s.nodes[2].skew = off
		s.writes(1, 20)
		s.run(time.Second)
		s.up(2)
		s.run(10 * time.Second) // steps check that nothing is dropped early
		if s.nodes[2].core.Synced() {
			t.Errorf("%v off: the node has synchronised", off)
		}
		if behind, is := s.nodes[2].core.ClockOff(s.now); !is || (behind+off).Abs() > 2*time.Second {
			t.Errorf("%v off: it says %v behind, %v", off, behind, is)
		}
		for i := range 2 {
			if _, is := s.nodes[i].core.ClockOff(s.now); is || !s.known(i) {
				t.Errorf("%v off: n%d doubts its own clock or its staleness", off, i)
			}
		}
		s.nodes[2].skew = 0
		s.complete(2)
	}
}

// TestClockJumpsWhileRunning: a node whose clock jumps by a day and stays there
// drops nothing, and comparisons do not bring back and forth what only some
// hold for expired.
func TestClockJumpsWhileRunning(t *testing.T) {
	for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		s := newScenario(t, 3)
		for i := range 3 {
			s.writes(i, 30)
		}
		s.run(2 * time.Second)
		s.nodes[1].skew = jump
		s.run(20 * time.Second) // steps check that nothing is dropped early
		before := s.compared
		s.run(10 * time.Second)
		if grown := s.compared - before; grown > 10_000 {
			t.Errorf("%v: %d bytes of comparisons in ten seconds of calm", jump, grown)
		}
		for i := range 3 {
			s.holdsAll(i)
		}
	}
}
