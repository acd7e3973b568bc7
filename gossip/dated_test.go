package gossip

import (
	"testing"
	"time"

	"rescind"
)

// replayRig is a node whose clock is right, and what others send it.
type replayRig struct {
	*Core
	now  time.Duration
	wall rescind.Millis
}

func newReplayRig(forget time.Duration) *replayRig {
	r := &replayRig{now: time.Hour, wall: 1_790_000_000_000}
	r.Core = New(Config{Origin: 9, Epoch: 20, ForgetAfter: forget}, r.now, r.wall)
	r.pass(time.Millisecond)
	return r
}

func (r *replayRig) pass(d time.Duration) {
	r.now, r.wall = r.now+d, r.wall.Add(d)
	r.Tick(r.now, r.wall)
	r.Ready(r.now)
}

// say delivers what o sent at this time of ours so long ago, and returns what is done
// about it.
func (r *replayRig) say(o Origin, ago time.Duration, b Body) Ready {
	r.Step(r.now, Message{From: o, Epoch: 5, Clock: r.wall.Add(-ago), Body: b})
	return r.Ready(r.now)
}

func (r *replayRig) listedNow(o Origin) (Member, bool) {
	for _, m := range r.Members(r.now) {
		if m.Origin == o {
			return m, true
		}
	}
	return Member{}, false
}

// TestReplayOfTheDead: a heartbeat that somebody recorded of a member that died and was
// forgotten, sent once more after this node was started anew, changes neither who is
// listed nor the staleness, nor what this node waits for. Nor does what a recorded heartbeat of
// another says of it.
func TestReplayOfTheDead(t *testing.T) {
	for name, b := range map[string]*Beat{
		"its own": {N: 7, Name: "dead", Head: 3, Synced: true},
		"another's word": {N: 7, Name: "dead", Views: []View{{Origin: 2, At: Position{4, 1}, Echo: 3, Age: 20 * time.Millisecond},
			{Origin: 3, At: Position{4, 1}, Age: ageUnknown}}},
	} {
		for _, ago := range []time.Duration{2 * time.Hour, 300 * 24 * time.Hour, -2 * time.Hour} {
			r := newReplayRig(time.Hour)
			for range 3 {
				if out := r.say(1, ago, b); len(out.Send) > 0 {
					t.Errorf("%s, sent %v ago: it is answered with %d messages", name, ago, len(out.Send))
				}
				b.N++
				r.pass(time.Second)
			}
			if members := r.Members(r.now); len(members) > 0 {
				t.Errorf("%s, sent %v ago: %v are listed", name, ago, members)
			}
			if r.Met() {
				t.Errorf("%s, sent %v ago: the node counts a member as met", name, ago)
			}
		}
		r := newReplayRig(time.Hour)
		r.say(1, 10*time.Minute, b) // it may have been there ten minutes ago; it has not echoed us
		if m, listed := r.listedNow(1); listed {
			t.Errorf("%s, sent ten minutes ago, is listed: %+v", name, m)
		}
	}
}

// TestReplayFillsNoTable: what was recorded of thousands that are gone takes no place
// from those that come.
func TestReplayFillsNoTable(t *testing.T) {
	r := newReplayRig(time.Hour)
	for o := range Origin(3000) {
		r.say(100+o, 3*time.Hour, &Beat{N: 1, Views: []View{{Origin: 10_000 + o, At: Position{4, 1}, Age: time.Second}}})
		r.say(100+o, 3*time.Hour, &Ack{At: Position{20, 0}})
	}
	if n := len(r.peers); n > 2*maxForgotten {
		t.Errorf("%d members are remembered", n)
	}
	r.say(7, 0, &Beat{N: 1, Name: "new"})
	if _, listed := r.listedNow(7); !listed {
		t.Error("a new member finds no room")
	}
}

// TestUndatedRequestsAreNotAnswered: what was asked long ago, or in an earlier life, is
// not answered, by however many requests in turn; what a member asks whose clock is
// wrong is, once it has echoed us.
func TestUndatedRequestsAreNotAnswered(t *testing.T) {
	requests := []Body{
		&StateRequest{}, &StateRequest{Cursor: rescind.MakeDigest(rescind.ScopeJTI, 5, 8)},
		&RangeRequest{Origin: 9, Epoch: 20, From: 1, To: 3}, &RangeRequest{Origin: 9, Epoch: 20, From: 2, To: 3},
		&Compare{Round: 1, Parts: []Part{{Part: rescind.Part{}}}},
	}
	answers := func(out Ready) int { return len(out.Scans) + len(out.Compares) + len(out.Send) }
	r := newReplayRig(time.Hour)
	r.Propose(make([]rescind.Record, 3))
	r.say(1, 2*time.Minute, &Beat{N: 1})
	for range 10 {
		for _, b := range requests {
			if n := answers(r.say(1, 2*time.Minute, b)); n > 0 {
				t.Errorf("%T, sent two minutes ago, is answered %d times", b, n)
			}
			r.now += 200 * time.Millisecond
		}
	}
	if got := r.Replayed().Undated; got != 50 {
		t.Errorf("%d requests are counted as undated, want 50", got)
	}
	r.pass(time.Millisecond)
	wrong := 24 * time.Hour // its clock is
	r.say(1, wrong, &Beat{N: 2, Clock: r.wall.Add(-wrong), Views: []View{{Origin: 9, At: Position{20, 0}, Based: true, Echo: r.beats}}})
	for _, b := range requests {
		if n := answers(r.say(1, wrong, b)); n == 0 {
			t.Errorf("%T of a member that has echoed us is not answered", b)
		}
	}
	if m, _ := r.listedNow(1); !m.Alive {
		t.Error("a member that has echoed us does not count as alive, because its clock is wrong")
	}
	r.Step(r.now, Message{From: 1, Epoch: 6, Clock: r.wall, Body: &Beat{N: 1}}) // it starts anew
	r.Ready(r.now)
	for _, b := range requests {
		if n := answers(r.say(1, 0, b)); n > 0 {
			t.Errorf("%T of its earlier life is answered", b)
		}
	}
}

// TestOneMemberMakesANodeSendSoMuch: whatever an authentic member asks, in bytes a second.
func TestOneMemberMakesANodeSendSoMuch(t *testing.T) {
	r := newReplayRig(time.Hour)
	records := make([]rescind.Record, 8192)
	r.Propose(records)
	r.say(1, 0, &Beat{N: 1})
	r.say(2, 0, &Beat{N: 1})
	sent := 0
	const seconds = 10
	for i := range 1000 * seconds {
		r.now, r.wall = r.now+time.Millisecond, r.wall.Add(time.Millisecond)
		out := r.say(1, 0, &StateRequest{Cursor: rescind.MakeDigest(rescind.ScopeJTI, uint64(i+1), 0)})
		for _, s := range out.Scans {
			r.Scanned(s, records, rescind.Digest{}, true)
		}
		r.Step(r.now, Message{From: 1, Epoch: 5, Clock: r.wall, Body: &RangeRequest{Origin: 9, Epoch: 20, From: 1 + uint64(i%7), To: 8192}})
		for _, o := range r.Ready(r.now).Send {
			sent += len(o.Message.Append(nil))
		}
	}
	if most := answerBurst + seconds*answerRate + 4*len(records)*rescind.RecordSize; sent > most || sent < most/2 {
		t.Errorf("%d MiB in %d s, want at most %d", sent>>20, seconds, most>>20)
	}
	if r.Replayed().Deferred == 0 {
		t.Error("what was not answered is not counted")
	}
	if out := r.say(2, 0, &StateRequest{}); len(out.Scans) == 0 {
		t.Error("another member is not answered because of this one")
	}
}
