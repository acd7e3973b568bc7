package gossiptest

import (
	"fmt"
	"testing"
	"time"

	"rescind/gossip"
)

// joinTimeout is after which the nodes of TestReadyHoldsAll stop waiting for a member.
const joinTimeout = time.Second

// isReady reports whether node i answers checks, as package cluster decides it.
func (s scenario) isReady(i int, since time.Duration) bool {
	n := s.nodes[i]
	return n.core != nil && n.core.Standing(s.now, gossip.Surroundings{Waited: s.now-since >= joinTimeout, OwnDisk: true}).Ready()
}

// TestReadyHoldsAll: two empty newcomers, which get only a fifth of the time, take the state
// of the only donor, which is paused, started again or killed at each step of that. None
// of them is ever ready without all that was acknowledged before; where the donor is gone
// for good none is ready, and else both become so.
func TestReadyHoldsAll(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"paused", "started again", "killed"} {
		for step := 1; step <= 8; step++ {
			t.Run(fmt.Sprint(fault, " at step ", step), func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, 3)
				s.lasting = true
				s.down(1)
				s.down(2)
				s.wipe(1)
				s.wipe(2)
				s.writes(0, 60)
				s.run(500 * time.Millisecond)
				s.down(0)
				s.up(0) // a second epoch, so that newcomers need its base
				s.run(500 * time.Millisecond)
				replies := 0
				s.lose = func(b gossip.Body) bool {
					if _, ok := b.(*gossip.StateReply); ok {
						replies++
					}
					return false
				}
				since, donor, done, again := s.now, s.nodes[0].core, false, time.Duration(never)
				s.up(1)
				s.up(2)
				for end := s.now + 8*time.Second; s.now < end; {
					throttle(s, since)
					s.run(tick)
					if !done && replies >= step && s.nodes[1].core != nil {
						done = true
						switch s.down(0); fault {
						case "paused":
							again = s.now + 1300*time.Millisecond
						case "started again":
							s.up(0)
						}
					}
					if s.now >= again {
						s.nodes[0].core, again = donor, never
					}
					for i := 1; i < 3; i++ {
						if s.isReady(i, since) && s.lacks(i) > 0 {
							t.Fatalf("at %v: n%d is ready and lacks %d of %d", s.now-since, i, s.lacks(i), len(s.acked))
						}
					}
				}
				for i := 1; i < 3; i++ {
					if ready := s.isReady(i, since); ready == (fault == "killed") && (ready || s.lacks(i) > 0 || fault != "killed") {
						t.Errorf("n%d: ready is %v, it lacks %d, after %d replies", i, ready, s.lacks(i), replies)
					}
				}
			})
		}
	}
}

// throttle lets messages to the newcomers through in 20 of each 100 ms.
func throttle(s scenario, since time.Duration) {
	if (s.now-since)%(100*time.Millisecond) < 20*time.Millisecond {
		return
	}
	next := s.now + tick
	for _, d := range s.queue[next] {
		later := next + tick
		if d.to == 0 {
			continue
		}
		s.queue[later] = append(s.queue[later], d)
	}
	kept := s.queue[next][:0:0]
	for _, d := range s.queue[next] {
		if d.to == 0 {
			kept = append(kept, d)
		}
	}
	s.queue[next] = kept
}
