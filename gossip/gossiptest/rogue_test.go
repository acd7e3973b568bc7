package gossiptest

import (
	"strings"
	"testing"
	"time"

	"rescind/gossip"
)

// TestOneRogueMessage: whatever one message says of a member, nobody stops, every
// member goes on counting, and the bound stays what it is; a member that starts in
// that moment gets ready, and what members acknowledge to each other is what they hold.
func TestOneRogueMessage(t *testing.T) {
	for i, lie := range lies {
		t.Run(strings.ReplaceAll(lie.name, " ", "_"), func(t *testing.T) {
			s := newScenario(t, 5)
			s.run(2 * time.Second)
			s.writes(2, 5)
			s.run(time.Second)
			s.down(4)
			s.wipe(4)
			s.nodes[4].key = keyOf(4, 7) // a newcomer
			s.nodes[4].origin = gossip.Origin(s.nodes[4].key.Origin())
			s.run(6 * time.Second) // it is forgotten
			s.lie(i, s.nodes[2])
			s.run(3 * tick)
			s.up(4)
			for end := s.now + 3*time.Second; s.now < end; {
				s.run(tick)
				for j, n := range s.nodes[:4] {
					asOf, known := n.core.Staleness(s.now)
					if limit := 5 * gossip.BeatEvery; s.nodes[4].core != nil && s.nodes[4].core.Synced() && (!known || s.now-asOf > limit) {
						t.Fatalf("at %v: n%d states a bound of %v (%v)", s.now, j, s.now-asOf, known)
					}
					for k := range 4 {
						if k != j && !countsAt(s.now, s.nodes[k], n) {
							t.Fatalf("at %v: n%d does not count n%d any more", s.now, j, k)
						}
					}
				}
			}
			s.complete(4)
			s.down(2)
			s.up(2) // what was said of it is not for good
			s.writes(0, 5)
			s.complete(2)
			s.run(11 * time.Second) // what nobody speaks for is forgotten by itself
			for j, n := range s.nodes {
				for _, h := range n.core.Held() {
					if s.byOrigin(h.Origin) == nil && h.Origin != origin(4) && h.Origin != gossip.Origin(rogueKey.Origin()) {
						t.Fatalf("n%d still remembers %v, whom nobody has heard: %+v", j, h.Origin, h)
					}
				}
			}
		})
	}
}

// countsAt reports whether n counts at another, and has not left.
func countsAt(now time.Duration, n, at *node) bool {
	for _, m := range at.core.Members(now) {
		if m.Origin == n.origin {
			return m.Counts && !m.Left
		}
	}
	return false
}
