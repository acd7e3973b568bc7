package cluster

import (
	"testing"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/identity"
)

// recorded is what somebody on the network has recorded of a member that is gone.
func recorded(n *Node, from gossip.Origin, ago time.Duration, b gossip.Body) []byte {
	key := identity.Of([identity.SeedSize]byte{byte(from)})
	m := gossip.Message{From: gossip.Origin(key.Origin()), Epoch: 5, Clock: rescind.MillisOf(time.Now().Add(-ago)), Body: b}
	m.Sign(key)
	return n.sealer.Seal(m.Append(nil))
}

// TestReplayedMessages: a recorded heartbeat of a member that is gone changes nothing on a node
// that has been started since, by either transport; one that is sent once more is not
// taken at all; and that a second transport brings each message as well is counted
// apart. One that is dated as of now is taken for what it is, so that the test
// would fail if nothing came through.
func TestReplayedMessages(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, 2, true, false, func(c *Config) { c.RejectStale, c.MaxStaleness = true, 2*time.Second })
	n := r.nodes[0]
	before := n.Status().Counters
	for i, via := range []string{"gossip", "nats"} {
		sealed := recorded(n, gossip.Origin(77+i), 3*time.Hour, &gossip.Beat{N: 1, Name: "dead", Head: 5, Synced: true})
		for range 3 {
			n.receive(via, sealed)
		}
	}
	n.receive("gossip", recorded(n, 77, 3*time.Hour, &gossip.StateRequest{}))
	await(t, "the request to be counted", func() bool { return n.Status().Counters.Undated > before.Undated })
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if st := n.Status(); len(st.Members) != 1 || !st.Staleness.Known || n.Check(tokenOf("x")) != rescind.Valid {
			t.Fatalf("a recorded heartbeat makes %d members, a bound of %+v, and %v", len(st.Members), st.Staleness, n.Check(tokenOf("x")))
		}
	}
	if c := n.Status().Counters; c.Replayed != before.Replayed+4 {
		t.Errorf("%d messages are counted as replayed, want 4", c.Replayed-before.Replayed)
	}

	duplicates := n.Status().Counters.Duplicates
	sealed := recorded(n, 79, 0, &gossip.Beat{N: 1, Name: "new"})
	n.receive("gossip", sealed)
	n.receive("nats", sealed)
	await(t, "a member that is heard now", func() bool { return len(n.Status().Members) == 2 })
	if c := n.Status().Counters; c.Duplicates != duplicates+1 || c.Replayed != before.Replayed+4 {
		t.Errorf("what two transports bring is counted as %d duplicates and %d replays", c.Duplicates-duplicates, c.Replayed-before.Replayed-4)
	}
}
