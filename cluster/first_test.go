package cluster

import (
	"fmt"
	"testing"

	"rescind"
)

// TestFirstCarrierIsCounted: each revocation that came in a batch counts for
// one carrier, which is one of those that there are.
func TestFirstCarrierIsCounted(t *testing.T) {
	t.Parallel()
	const revocations = 20
	eachMode(t, func(t *testing.T, gossip, nats bool) {
		r := newRig(t, 2, gossip, nats)
		for i := range revocations {
			r.revoke(0, fmt.Sprint("first-", i), rescind.AckAll)
		}
		c := r.nodes[1].Status().Counters
		byNeither := c.Applied - c.FirstByGossip - c.FirstByNATS // asked for after a gap
		if c.FirstByGossip+c.FirstByNATS == 0 || byNeither > c.Repairs || !gossip && c.FirstByGossip > 0 || !nats && c.FirstByNATS > 0 {
			t.Errorf("%d applied: first by gossip %d, by NATS %d, after a repair at most %d", c.Applied, c.FirstByGossip, c.FirstByNATS, c.Repairs)
		}
		if own := r.nodes[0].Status().Counters; own.FirstByGossip+own.FirstByNATS != 0 {
			t.Errorf("the origin counts its own: %+v", own)
		}
	})
}
