package gossip

import (
	"testing"
	"time"

	"rescind"
)

// TestAnsweredOnce: a request goes by every carrier, so it comes twice, and is
// answered once. Asked anew later, because the answer was lost, it is answered
// again; but a step of a comparison never, since a replay would cost a look
// through the set.
func TestAnsweredOnce(t *testing.T) {
	answers := func(r Ready) (n int) {
		n = len(r.Scans) + len(r.Compares)
		for _, out := range r.Send {
			if _, ok := out.Message.Body.(*RangeReply); ok {
				n++
			}
		}
		return n
	}
	whole := []Part{{Part: rescind.Part{Range: rescind.Range{}}}}
	for name, c := range map[string]struct {
		body  Body
		later int // answers to the same a second later
	}{
		"a range":                {&RangeRequest{Origin: 2, Epoch: 20, From: 1, To: 3}, 1},
		"the state":              {&StateRequest{}, 1},
		"a step of a comparison": {&Compare{Round: 1, Parts: whole}, 0},
	} {
		core := New(Config{Origin: 2, Epoch: 20}, 1, 0)
		core.Propose(make([]rescind.Record, 3))
		core.Step(1, Message{From: 1, Epoch: 5, Body: &Beat{N: 1}})
		core.Ready(1)
		now := time.Second
		ask := func(now time.Duration) int {
			core.Step(now, Message{From: 1, Epoch: 5, Body: c.body})
			return answers(core.Ready(now))
		}
		if first, again := ask(now), ask(now+time.Millisecond); first != 1 || again != 0 {
			t.Errorf("%s: %d answers, and %d to the same by another carrier; want 1 and 0", name, first, again)
		}
		if later := ask(now + time.Second); later != c.later {
			t.Errorf("%s, a second later: %d answers, want %d", name, later, c.later)
		}
	}
}
