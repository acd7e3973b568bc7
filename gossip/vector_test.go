package gossip

import (
	"testing"
	"time"

	"rescind"
)

// acksIn returns up to where r acknowledges a member's stream, zero if it does not.
func acksIn(r Ready, to Origin) (at Position) {
	for _, out := range r.Send {
		if a, ok := out.Message.Body.(*Ack); ok && out.To == to {
			at = a.At
		}
	}
	return at
}

// committed makes everything durable that waits.
func committed(c *Core, now time.Duration) (*Commit, Ready) {
	commit := c.Ready(now).Commit
	for i := time.Duration(1); i < 3 && commit == nil; i++ { // records of others are gathered first
		commit = c.Ready(now + i*gather).Commit
	}
	c.Advance()
	return commit, c.Ready(now + 3*gather)
}

// TestNoAcknowledgementWithoutABase (W1): of an epoch whose base is missing nothing
// is acknowledged, though its records are on the disk; once the base is there, the
// frontier is stored first.
func TestNoAcknowledgementWithoutABase(t *testing.T) {
	c := New(Config{Origin: 2, Epoch: 20, ForgetAfter: time.Hour}, 0, 0)
	rec := []rescind.Record{{Digest: rescind.MakeDigest(rescind.ScopeJTI, 1, 1<<8), IssuedBefore: rescind.Ever, ExpiresAt: 1 << 41}}
	c.Step(0, Message{From: 1, Epoch: 5, Body: &Beat{N: 1, Head: 1, Previous: Position{4, 9}}})
	c.peers[1].admitted = true // as if it had echoed us
	c.Step(0, Message{From: 1, Epoch: 5, Body: &Batch{First: 1, Head: 1, Records: rec}})
	commit, after := committed(c, time.Second)
	if commit == nil || len(commit.Records) != 1 || len(commit.Frontiers) != 0 {
		t.Fatalf("commit %+v", commit)
	}
	if at := acksIn(after, 1); at != (Position{}) {
		t.Errorf("acknowledged %v of an epoch without a base", at)
	}
	for _, v := range c.views(time.Second) {
		if v.Origin == 1 && (v.Based || v.At != Position{5, 1}) {
			t.Errorf("tells %+v", v)
		}
	}
	c.learn(time.Second, c.peers[1], View{Origin: 1, At: Position{4, 9}, Based: true})
	commit, after = committed(c, time.Second)
	if commit == nil || commit.Frontiers[1] != (Position{5, 1}) {
		t.Fatalf("with the base: commit %+v", commit)
	}
	if at := acksIn(after, 1); at != (Position{5, 1}) {
		t.Errorf("with the base: acknowledged %v", at)
	}
}

// TestVectorNeverGoesBack (W2): not when the origin gets back more of its past than it
// had, nor with its next epoch after that, nor with a restart in between.
func TestVectorNeverGoesBack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		cfg := Config{Origin: 2, Epoch: 20, ForgetAfter: time.Hour}
		c := New(cfg, 0, 0)
		c.Step(0, Message{From: 1, Epoch: 5, Body: &Beat{N: 1}})
		c.peers[1].admitted = true
		c.Step(0, Message{From: 1, Epoch: 5, Body: &Batch{First: 1, Head: 3, Records: make([]rescind.Record, 3)}})
		_, after := committed(c, time.Second)
		if at := acksIn(after, 1); at != (Position{5, 3}) {
			t.Fatalf("acknowledged %v", at)
		}
		c.Step(time.Second, Message{From: 1, Epoch: 5, Body: &Beat{N: 2, Head: 3, Previous: Position{4, 7}}}) // it was rolled back, and has its past again
		if restart {
			cfg.Epoch, cfg.Frontiers = 21, map[Origin]Position{1: {5, 3}}
			c = New(cfg, time.Second, 0)
		}
		c.Step(time.Second, Message{From: 1, Epoch: 6, Body: &Beat{N: 1, Previous: Position{5, 3}}})
		if h := heldOf(t, c, 1); !h.Says(Position{5, 3}) {
			t.Errorf("restart %v: says %+v", restart, h)
		}
		commit, _ := committed(c, 5*time.Second)
		if commit != nil && commit.Frontiers[1] != (Position{}) && commit.Frontiers[1].Before(Position{5, 3}) {
			t.Errorf("restart %v: stores %v", restart, commit.Frontiers[1])
		}
	}
}
