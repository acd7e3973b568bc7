package gossiptest

import (
	"testing"
	"time"

	"rescind"
	"rescind/gossip"
)

// datagram is what gets through where large messages do not: a firewall that
// passes UDP alone, or a tunnel that swallows full segments.
const datagram = 1100

// newNarrow returns nodes of which the first holds many records and the last is
// down and empty, and paths between them that carry datagrams only. With restarted, the
// one that holds them has begun a new epoch, so that the state must be transferred.
func newNarrow(t *testing.T, nodes, records int, restarted bool) scenario {
	s := newScenario(t, nodes)
	last := nodes - 1
	s.narrow, s.scanPart = datagram, 8192
	s.lasting = true // a newcomer keeps what the others have swept, so the two differ until its bucket has passed
	s.down(last)
	s.wipe(last)
	s.writes(0, records)
	s.run(2 * time.Second)
	if restarted {
		s.down(0)
		s.up(0)
		s.run(100 * time.Millisecond)
	}
	return s
}

// TestNarrowPath: a newcomer behind a path that carries no large message gets all
// the same everything, because it asks for less with each try.
func TestNarrowPath(t *testing.T) {
	t.Parallel()
	for name, restarted := range map[string]bool{"by ranges": false, "by the state": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newNarrow(t, 2, 800, restarted)
			s.up(1)
			for end := s.now + 30*time.Second; s.nodes[1].core == nil || !s.nodes[1].core.Synced(); {
				s.run(tick)
				if s.now > end {
					t.Fatal("it never synchronises")
				}
			}
			s.holdsAll(1)
		})
	}
}

// TestNarrowLimitIsTold: where the transports know the limit, nothing is lost by
// trying, and a batch is divided before it is sent.
func TestNarrowLimitIsTold(t *testing.T) {
	t.Parallel()
	s := newNarrow(t, 2, 800, true)
	s.nodes[0].core.SetLimit(0, 20)
	s.up(1)
	for s.nodes[1].core == nil || len(s.nodes[1].core.Members(s.now)) == 0 {
		s.run(tick)
	}
	s.nodes[0].core.SetLimit(origin(1), 20)
	s.nodes[1].core.SetLimit(origin(0), 20)
	began := s.now
	s.complete(1)
	if took := s.now - began; took > 3*time.Second {
		t.Errorf("it took %v although the limit is known", took)
	}
	records := make([]rescind.Record, 50)
	for i := range records {
		records[i] = extra(uint64(i), uint64(i)<<32)
	}
	s.nodes[0].core.Propose(records)
	for _, out := range s.nodes[0].core.Ready(s.now).Send {
		if n := len(out.Message.Append(nil)); n > datagram {
			t.Errorf("a message of %d bytes", n)
		}
	}
}

// TestReconciliationMakesReady: where the transfer of the state never ends, a
// comparison with a synchronised member that finds nothing missing proves as much.
func TestReconciliationMakesReady(t *testing.T) {
	t.Parallel()
	s := newNarrow(t, 3, 300, true)
	s.lose = func(b gossip.Body) bool { _, state := b.(*gossip.StateReply); return state }
	s.run(2 * time.Second) // the two of them catch up with each other
	third := s.nodes[2]
	s.up(2)
	for end := s.now + 2*time.Minute; third.core == nil || !third.core.Synced(); {
		s.run(tick)
		if s.now > end {
			t.Logf("%+v lacks %d, holds %d, %d", third.core.CompareStats(), s.lacks(2), third.set.Len(), s.nodes[0].set.Len())
			t.Fatal("it is never synchronised")
		}
	}
	s.holdsAll(2)
}

// TestNarrowPathIsReconciled: what is missing on either side of a path that carries
// datagrams only is found within some rounds, though each step has room for little.
func TestNarrowPathIsReconciled(t *testing.T) {
	t.Parallel()
	s := newNarrow(t, 2, 800, true)
	s.up(1)
	s.complete(1)
	s.run(5 * time.Second)
	for i := range 120 { // what a comparison alone can find
		r := extra(uint64(i), s.rng.Uint64())
		s.written[r.Digest] = r
		s.nodes[i%2].set.Merge(r)
	}
	began := s.now
	for s.equal() != nil {
		s.run(tick)
		if s.now > began+12*time.Second {
			t.Fatalf("after %v they differ: %v", s.now-began, s.equal())
		}
	}
	t.Logf("healed after %v", s.now-began)
}
