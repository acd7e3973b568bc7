package gossip

import (
	"testing"
	"time"

	"rescind"
)

// TestReplayOfAnEarlierEpoch: who has captured a batch of an earlier epoch fills no
// queue with it.
func TestReplayOfAnEarlierEpoch(t *testing.T) {
	c := New(Config{Origin: 1, Epoch: 1, ForgetAfter: time.Hour}, 0, 0)
	recs := make([]rescind.Record, 4096)
	for i := range recs {
		recs[i] = rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, uint64(i+1), 7), IssuedBefore: rescind.Ever, ExpiresAt: 1 << 41}
	}
	c.Step(0, Message{From: 2, Epoch: 5, Body: &Beat{N: 1}})
	old := Message{From: 2, Epoch: 5, Body: &Batch{First: 1, Head: 4096, Records: recs}}
	c.Step(1, old)
	c.Ready(time.Second)
	c.Ready(2 * time.Second)
	c.Advance()
	c.Step(2, Message{From: 2, Epoch: 6, Body: &Beat{N: 1, Previous: Position{5, 4096}}})
	c.Ready(3 * time.Second)
	c.Advance()
	for range 40 {
		c.Step(3, old)
	}
	if n := len(c.uncommitted); n > 0 || c.Full() {
		t.Errorf("after 40 replays %d records wait for the disk", n)
	}
}

// TestBeatThatContradictsItself: a beat that tells of its own sender in a later
// epoch is of no use, and harms nobody. It ended the process once.
func TestBeatThatContradictsItself(t *testing.T) {
	c := New(Config{Origin: 1, Epoch: 1, ForgetAfter: time.Hour}, 0, 0)
	c.Step(1, Message{From: 2, Epoch: 5, Body: &Beat{N: 1, Views: []View{
		{Origin: 2, At: Position{9, 3}, Based: true}, {Origin: 3, At: Position{1, 1}, Based: true},
	}}})
	if p := c.peers[2]; p.epoch != 5 || len(p.views) != 1 {
		t.Errorf("the sender is in epoch %d, and tells of %d members", p.epoch, len(p.views))
	}
}
