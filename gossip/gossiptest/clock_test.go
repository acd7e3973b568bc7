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

// TestClocksJumpTogether: the clocks of all nodes jump, as those of containers of one host
// do, and are set right after a minute; meanwhile some are restarted, and at the end all.
// Nothing is lost, in memory and on disk.
func TestClocksJumpTogether(t *testing.T) {
	for _, jump := range []time.Duration{2 * time.Hour, 24 * time.Hour, 3 * 366 * 24 * time.Hour, -24 * time.Hour} {
		s := newScenario(t, 3)
		for i := range 3 {
			s.writes(i, 30)
		}
		s.run(2 * time.Second)
		for _, n := range s.nodes {
			n.skew = jump
		}
		s.run(15 * time.Second) // steps check that nothing is dropped early
		s.down(1)
		s.up(1)
		s.run(15 * time.Second)
		for i := range s.nodes {
			s.down(i)
			s.up(i)
		}
		s.run(30 * time.Second)
		for _, n := range s.nodes {
			n.skew = 0
		}
		for i := range s.nodes {
			s.down(i)
			s.up(i)
		}
		for i := range s.nodes {
			s.complete(i)
		}
	}
}

// TestClocksThatStayAheadAreBelieved: what is the time now is for nobody in the cluster to
// know better, and memory must be given back.
func TestClocksThatStayAheadAreBelieved(t *testing.T) {
	s := scenario{New(1, Options{Nodes: 3, Commit: 4 * time.Millisecond, ForgetAfter: 5 * time.Second, Believe: 5 * time.Second}), t}
	s.run(2 * time.Second)
	for _, n := range s.nodes {
		n.skew = 24 * time.Hour
	}
	s.run(4 * time.Second)
	ahead := func(i int) time.Duration {
		at, trusted := s.nodes[i].core.Lapsing(s.now)
		if !trusted {
			t.Errorf("n%d does not trust its clock", i)
		}
		return time.Duration(at-s.trueTime()) * time.Millisecond
	}
	for i := range s.nodes {
		if by := ahead(i); by > time.Second {
			t.Errorf("n%d: records lapse %v early within the time of trial", i, by)
		}
	}
	s.run(4 * time.Second)
	for i := range s.nodes {
		if by := ahead(i); by < 23*time.Hour {
			t.Errorf("n%d: after the time of trial the clock is believed %v ahead", i, by)
		}
	}
}
