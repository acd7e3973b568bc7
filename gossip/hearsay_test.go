package gossip

import (
	"slices"
	"testing"
	"time"

	"rescind"
	"rescind/internal/identity"
)

// twoWithKeys are two cores that know each other's keys and have echoed each other.
func twoWithKeys(t *testing.T) (a, b *Core) {
	t.Helper()
	core := func(i byte) *Core {
		key := identity.Of([identity.SeedSize]byte{i})
		return New(Config{Origin: Origin(key.Origin()), Key: key, Epoch: 5, ForgetAfter: time.Hour}, 1, 1_790_000_000_000)
	}
	a, b = core(1), core(2)
	for now := time.Duration(1); now < 2*time.Second; now += 50 * time.Millisecond {
		for _, c := range []*Core{a, b} {
			c.Tick(now, 1_790_000_000_000)
		}
		exchange(t, now, a, b)
		exchange(t, now, b, a)
	}
	return a, b
}

// exchange brings what a has to say to b, through the codec.
func exchange(t *testing.T, now time.Duration, a, b *Core) (acks []*Ack) {
	t.Helper()
	r := a.Ready(now)
	for _, out := range r.Send {
		m, err := Decode(out.Message.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if ack, ok := m.Body.(*Ack); ok {
			acks = append(acks, ack)
		}
		b.Step(now, m)
	}
	if r.Commit != nil {
		a.Advance()
	}
	return acks
}

// TestForgedAcknowledgements: an acknowledgement counts if the member in whose name it
// is has made it, of this position, in this epoch, for this node.
func TestForgedAcknowledgements(t *testing.T) {
	a, b := twoWithKeys(t)
	a.Propose(slices.Repeat([]rescind.Record{{Digest: rescind.MakeDigest(rescind.ScopeJTI, 1, 1<<8), IssuedBefore: rescind.Ever, ExpiresAt: 1 << 41}}, 3))
	from := b.cfg.Origin
	if m := a.Members(2 * time.Second); len(m) != 1 || !m[0].Counts {
		t.Fatalf("members %+v", m)
	}
	forged := &Ack{At: Position{5, 3}}
	a.Step(2*time.Second, Message{From: from, Epoch: 5, Body: forged})
	exchange(t, 2*time.Second, a, b)
	if acks := a.Ready(2 * time.Second).Acks; len(acks) > 0 || a.peers[from].acked != 0 {
		t.Errorf("a forged acknowledgement counts: %v", acks)
	}
	if got := a.Refused().Acks; got != 1 {
		t.Errorf("%d are counted as refused, want 1", got)
	}
	var real []*Ack
	for now := 2 * time.Second; now < 3*time.Second; now += 5 * time.Millisecond {
		b.Tick(now, 1_790_000_000_000)
		real = append(real, exchange(t, now, b, a)...)
	}
	if len(real) == 0 || a.peers[from].acked != 3 || a.Refused().Acks != 1 {
		t.Fatalf("%d acknowledgements have come, up to %d; %d were refused", len(real), a.peers[from].acked, a.Refused().Acks)
	}
	changed := *real[0]
	changed.At.Seq++
	a.own.extend(make([]rescind.Record, 1))
	a.Step(3*time.Second, Message{From: from, Epoch: 5, Body: &changed})
	if a.peers[from].acked != 3 {
		t.Error("an acknowledgement of another position counts")
	}
}

// TestEpochByHearsay: an epoch that others tell of is given up once its origin, in a
// lower one, answers what this node sent since; also on the disk. A word of its that may be
// from before is no answer.
func TestEpochByHearsay(t *testing.T) {
	c := New(Config{Origin: 9, Epoch: 20, ForgetAfter: time.Hour, Frontiers: map[Origin]Position{3: {1 << 62, 7}}}, 1, 0)
	says := func(now time.Duration, echo uint64) {
		c.Step(now, Message{From: 3, Epoch: 5, Body: &Beat{N: uint64(now), Head: 2, Views: []View{{Origin: 9, At: Position{20, 0}, Echo: echo}}}})
	}
	c.Tick(1, 0)
	says(2, 0)
	if h := heldOf(t, c, 3); h.At.Epoch != 1<<62 {
		t.Errorf("a word that may be from before has effect: %+v", h)
	}
	c.Tick(time.Second, 0) // the second heartbeat
	says(time.Second+1, c.beats)
	if h := heldOf(t, c, 3); h.At.Epoch != 5 || h.Covers(Position{5, 1}) {
		t.Errorf("its own word: %+v", h)
	}
	if got := c.Refused().Epochs; got != 1 {
		t.Errorf("%d epochs are counted as refused", got)
	}
	r := c.Ready(2 * time.Second)
	if r.Commit == nil || len(r.Commit.Forget) != 1 || len(r.Commit.Frontiers) != 0 {
		t.Errorf("the disk goes on saying so: %+v", r.Commit)
	}

	// Of a member that has spoken, hearsay moves nothing.
	c.Step(2*time.Second, Message{From: 4, Epoch: 5, Body: &Beat{N: 1, Views: []View{
		{Origin: 3, At: Position{1 << 62, 1 << 60}, Past: Position{1 << 61, 1}, Based: true, Left: true}}}})
	if h := heldOf(t, c, 3); h.At.Epoch != 5 {
		t.Errorf("after another's word: %+v", h)
	}
	for _, m := range c.Members(2 * time.Second) {
		if m.Origin == 3 && m.Left {
			t.Error("it has left by another's word")
		}
	}
}
