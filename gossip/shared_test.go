package gossip

import (
	"testing"
	"time"

	"rescind"
)

// TestVouch: of a member that writes into the shared log nothing is committed
// here, and all of it is acknowledged at once; of others everything is committed
// as ever.
func TestVouch(t *testing.T) {
	c := New(Config{Origin: 2, Epoch: 20, ForgetAfter: time.Minute}, 0, 0)
	c.Vouch(time.Second, 900*time.Millisecond, map[Origin]Position{1: {5, 3}, 2: {20, 9}})
	if h := heldOf(t, c, 1); !h.Covers(Position{5, 3}) || h.Covers(Position{5, 4}) {
		t.Errorf("held after the log was read: %+v", h)
	}
	if len(c.Members(time.Second)) != 0 {
		t.Error("a member is listed that was never heard")
	}
	if asOf, known := c.Staleness(time.Second); !known || asOf != time.Second {
		t.Errorf("staleness as of %v, %v: nobody is listed", asOf, known)
	}
	now := 10 * time.Second
	c.Step(now, Message{From: 1, Epoch: 5, Body: &Beat{N: 1, Name: "one", Head: 5}})
	c.Step(now, Message{From: 1, Epoch: 5, Body: &Batch{First: 4, Head: 5, Records: make([]rescind.Record, 2)}})
	r := c.Ready(now)
	if r.Commit != nil || r.Due != 0 || len(r.Apply) != 2 {
		t.Errorf("records of the log's: commit %+v, %d applied", r.Commit, len(r.Apply))
	}
	acked := Position{}
	for _, out := range r.Send {
		if a, ok := out.Message.Body.(*Ack); ok && out.To == 1 {
			acked = a.At
		}
	}
	if acked != (Position{5, 5}) {
		t.Errorf("acknowledged up to %v", acked)
	}
	if asOf, known := c.Staleness(now); !known || asOf != 900*time.Millisecond {
		t.Errorf("staleness as of %v, %v; the log was read as of 900ms", asOf, known)
	}
	c.Vouch(now, now-time.Second, map[Origin]Position{1: {5, 5}})
	if asOf, known := c.Staleness(now); !known || asOf != now-time.Second {
		t.Errorf("staleness as of %v, %v; the log was read a second ago", asOf, known)
	}

	c.Step(now, Message{From: 3, Epoch: 7, Body: &Beat{N: 1, Head: 1}})
	c.peers[3].admitted = true // as if it had echoed us
	c.Step(now, Message{From: 3, Epoch: 7, Body: &Batch{First: 1, Head: 1, Records: make([]rescind.Record, 1)}})
	if r := c.Ready(now + gather); r.Commit != nil {
		t.Errorf("commit %+v before others were gathered", r.Commit)
	}
	r = c.Ready(now + 2*gather)
	if r.Commit == nil || len(r.Commit.Records) != 1 || r.Commit.Frontiers[3] != (Position{7, 1}) || len(r.Commit.Frontiers) != 1 {
		t.Errorf("a record of a member with a disk: commit %+v", r.Commit)
	}
	c.Advance()

	// In a later epoch, of a data folder, it is a member like any other.
	c.Step(now, Message{From: 1, Epoch: 6, Body: &Beat{N: 1}})
	c.Step(now, Message{From: 1, Epoch: 6, Body: &Batch{First: 1, Head: 1, Records: make([]rescind.Record, 1)}})
	c.Vouch(now, now, map[Origin]Position{1: {5, 9}})
	c.Ready(now)
	if r := c.Ready(now + gather); r.Commit == nil || len(r.Commit.Records) != 1 {
		t.Errorf("a record of a later epoch: commit %+v", r.Commit)
	}
}

// TestVouchFillsGaps: what the log brings needs no repair.
func TestVouchFillsGaps(t *testing.T) {
	c := New(Config{Origin: 2, Epoch: 20, ForgetAfter: time.Minute}, 0, 0)
	c.Step(0, Message{From: 1, Epoch: 5, Body: &Beat{N: 1, Name: "one", Head: 9}})
	c.Step(0, Message{From: 1, Epoch: 5, Body: &Batch{First: 8, Head: 9, Records: make([]rescind.Record, 2)}})
	if m := c.Members(0); len(m) != 1 || m[0].Behind != 9 {
		t.Fatalf("members %+v", m)
	}
	c.Vouch(0, 0, map[Origin]Position{1: {5, 7}})
	if m := c.Members(0); m[0].Behind != 0 {
		t.Errorf("members %+v", m)
	}
}

// TestVouchForMany: the dead of many restarts are not all remembered, and those
// that are forgotten do not come back for every reading of the log.
func TestVouchForMany(t *testing.T) {
	c := New(Config{Origin: 2000, Epoch: 20, ForgetAfter: time.Minute}, 0, 0)
	dead := map[Origin]Position{}
	for o := range Origin(300) {
		dead[o+1] = Position{uint64(o) + 1, 1}
	}
	forgotten := 0
	for now := time.Duration(0); now < time.Minute; now += time.Second {
		c.Vouch(now, now, dead)
		c.Tick(now, 0)
		r := c.Ready(now)
		if r.Commit != nil {
			forgotten += len(r.Commit.Forget)
			c.Advance()
		}
	}
	if len(c.peers) > maxForgotten || forgotten > maxForgotten {
		t.Errorf("%d peers, %d forgotten", len(c.peers), forgotten)
	}
}
