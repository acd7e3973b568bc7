package cluster

import (
	"testing"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/identity"
)

// TestRogueMessageStopsNobody: one message of somebody who has the cluster's key, to
// every node, in a member's name or about it, ends no node, and nobody stops counting
// that member.
func TestRogueMessageStopsNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, true, false)
	await(t, "all to count", func() bool {
		for _, n := range r.nodes {
			if st := n.Status(); len(st.Members) != 2 || !st.Staleness.Known {
				return false
			}
		}
		return true
	})
	const huge = 1 << 62
	victim, rogue := r.nodes[2].store.Identity(), identity.New()
	var views []gossip.View
	for i := range gossip.Origin(500) {
		views = append(views, gossip.View{Origin: 1 + i, At: gossip.Position{Epoch: huge, Seq: 1}, Counts: true})
	}
	views = append(views, gossip.View{
		Origin: gossip.Origin(victim.Origin), At: gossip.Position{Epoch: huge, Seq: huge}, Based: true, Left: true,
	})
	for _, m := range []gossip.Message{
		{From: gossip.Origin(victim.Origin), Epoch: huge, Body: &gossip.Leave{}},
		{From: gossip.Origin(victim.Origin), Epoch: victim.Epoch, Body: &gossip.Leave{}},
		{From: gossip.Origin(rogue.Origin()), Epoch: 1, Body: &gossip.Beat{N: 1, Name: "rogue", Views: views}},
	} {
		m.Clock = rescind.MillisOf(time.Now())
		m.Sign(rogue)
		for _, n := range r.nodes {
			n.receive("gossip", n.sealer.Seal(m.Append(nil)))
		}
	}
	for i, n := range r.nodes {
		await(t, "the rogue to be forgotten", func() bool { return len(n.Status().Members) == 2 })
		if err := n.Err(); err != nil {
			t.Fatalf("n%d has stopped: %v", i, err)
		}
		st := n.Status()
		for _, m := range st.Members {
			if m.State == MemberLeft {
				t.Errorf("n%d says that %s has left", i, m.Name)
			}
		}
		if st.Counters.Unsigned != 2 || !st.Staleness.Known {
			t.Errorf("n%d has refused %d messages, want 2; it states a bound: %v", i, st.Counters.Unsigned, st.Staleness.Known)
		}
	}
}
