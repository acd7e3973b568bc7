package gossip

import (
	"testing"
	"time"

	"rescind"
)

// heldOf returns what c holds of o.
func heldOf(t *testing.T, c *Core, o Origin) Held {
	t.Helper()
	for _, h := range c.Held() {
		if h.Origin == o {
			return h
		}
	}
	t.Fatalf("nothing is known of %v", o)
	return Held{}
}

func TestHeldFollowsAStream(t *testing.T) {
	c := New(Config{Origin: 2, Epoch: 20, Previous: Position{10, 7}, ForgetAfter: time.Hour}, 0, 0)
	for p, want := range map[Position]bool{{20, 0}: true, {20, 1}: false, {21, 0}: false, {10, 7}: true, {10, 8}: false, {9, 1000}: true, {11, 0}: false} {
		if got := heldOf(t, c, 2).Covers(p); got != want {
			t.Errorf("own stream, %v: %v", p, got)
		}
	}
	if c.Propose(make([]rescind.Record, 3)); !heldOf(t, c, 2).Covers(Position{20, 3}) {
		t.Error("own records are not held")
	}

	batch := func(first, head uint64, n int) {
		c.Step(0, Message{From: 1, Epoch: 5, Body: &Batch{First: first, Head: head, Records: make([]rescind.Record, n)}})
	}
	c.Step(0, Message{From: 1, Epoch: 5, Body: &Beat{N: 1, Head: 3}}) // of a new folder
	batch(1, 3, 2)
	batch(4, 4, 1)
	for seq, want := range []bool{true, true, true, false, false} {
		if got := heldOf(t, c, 1).Covers(Position{5, uint64(seq)}); got != want {
			t.Errorf("number %d, with a gap at 3: %v", seq, got)
		}
	}
	batch(3, 4, 1)
	if h := heldOf(t, c, 1); !h.Covers(Position{5, 4}) || h.Covers(Position{5, 5}) || h.Covers(Position{6, 0}) {
		t.Errorf("after the repair: %+v", h)
	}

	// It starts again. What is held of the old epoch stays held, and the new
	// one counts as soon as it builds on that.
	begun := Message{From: 1, Epoch: 8, Body: &Batch{First: 1, Head: 1, Records: make([]rescind.Record, 1)}}
	c.Step(0, begun)
	if h := heldOf(t, c, 1); !h.Covers(Position{5, 4}) || h.Covers(Position{5, 5}) || h.Covers(Position{8, 1}) {
		t.Errorf("before its beat: %+v", h)
	}
	c.Step(0, Message{From: 1, Epoch: 8, Body: &Beat{N: 1, Head: 1, Previous: Position{5, 4}}})
	c.Step(0, begun)
	if h := heldOf(t, c, 1); !h.Covers(Position{8, 1}) || !h.Covers(Position{5, 4}) || h.Covers(Position{5, 5}) {
		t.Errorf("after its beat: %+v", h)
	}
}

// TestHeldFromDisk: what was stored covers its epoch up to there, and all
// before.
func TestHeldFromDisk(t *testing.T) {
	c := New(Config{Origin: 2, Epoch: 20, Frontiers: map[Origin]Position{1: {5, 4}, 3: {6, 1}}, ForgetAfter: time.Hour}, 0, 0)
	if h := heldOf(t, c, 1); !h.Covers(Position{5, 4}) || !h.Covers(Position{4, 99}) || h.Covers(Position{5, 5}) {
		t.Errorf("%+v", h)
	}
	held := c.Held()
	if len(held) != 3 || held[0].Origin != 1 || held[1].Origin != 2 || held[2].Origin != 3 {
		t.Errorf("not by origin: %+v", held)
	}
}
