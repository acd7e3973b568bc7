package oracle

import (
	"testing"
	"time"
)

const s = time.Second

func end(called, acked time.Duration) *End {
	e := new(End)
	if called != 0 {
		e.Call(called)
	}
	if acked != 0 {
		e.Ack(acked)
	}
	return e
}

// The oracle finds what it is there for, and nothing in right answers.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		ends  []*End
		asked time.Duration
		took  time.Duration
		code  int
		want  Verdict
	}{
		"live, accepted":                {nil, 5 * s, 0, 200, Right},
		"live, refused":                 {nil, 5 * s, 0, 401, Refused},
		"live, cannot know":             {nil, 5 * s, 0, 503, Withheld},
		"live, no answer":               {nil, 5 * s, 0, 0, Withheld},
		"session never ended, refused":  {[]*End{end(0, 0)}, 5 * s, 0, 401, Refused},
		"after the window, accepted":    {[]*End{end(1*s, 2*s)}, 3*s + 1, 0, 200, Accepted},
		"after the window, refused":     {[]*End{end(1*s, 2*s)}, 9 * s, 0, 401, Right},
		"after the window, cannot know": {[]*End{end(1*s, 2*s)}, 9 * s, 0, 503, Withheld},
		"in the window, accepted":       {[]*End{end(1*s, 2*s)}, 3 * s, 5 * s, 200, Right},
		"in the window, refused":        {[]*End{end(1*s, 2*s)}, 3 * s, 0, 401, Right},
		"asked before the call":         {[]*End{end(2*s, 3*s)}, 1 * s, 1 * s, 401, Right},
		"answered before the call":      {[]*End{end(2*s, 3*s)}, 1 * s, s / 2, 401, Refused},
		"never acknowledged, accepted":  {[]*End{end(1*s, 0)}, 99 * s, 0, 200, Right},
		"never acknowledged, refused":   {[]*End{end(1*s, 0)}, 99 * s, 0, 401, Right},
		"one end of two":                {[]*End{end(0, 0), end(1*s, 1*s)}, 9 * s, 0, 200, Accepted},
	} {
		a := Answer{Asked: c.asked, Answered: c.asked + c.took, Status: c.code}
		token := Token{Ends: c.ends}
		if got := token.Judge(a, s); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// What a node has refused it never accepts again, window or not; another node
// may.
func TestJudgeMonotone(t *testing.T) {
	token := Token{Ends: []*End{end(1*s, 0)}}
	for _, step := range []struct {
		answer Answer
		want   Verdict
	}{
		{Answer{Node: 0, Asked: 2 * s, Answered: 3 * s, Status: 401}, Right},
		{Answer{Node: 0, Asked: 2 * s, Answered: 4 * s, Status: 200}, Right}, // it began before
		{Answer{Node: 1, Asked: 9 * s, Answered: 9 * s, Status: 200}, Right},
		{Answer{Node: 0, Asked: 9 * s, Answered: 9 * s, Status: 200}, Returned},
	} {
		if got := token.Judge(step.answer, s); got != step.want {
			t.Errorf("%+v: %v, want %v", step.answer, got, step.want)
		}
	}
}

func TestTally(t *testing.T) {
	var tally Tally
	for range 3 * maxExamples {
		tally.Count(Accepted, Answer{Node: 1, Asked: s, Status: 200}, "a session")
	}
	tally.Count(Right, Answer{}, "a session")
	if tally.Wrong() != 3*maxExamples || tally.Of(Accepted) != 3*maxExamples || tally.Of(Right) != 1 || len(tally.Examples()) != maxExamples {
		t.Errorf("%d wrong of %d, %d examples", tally.Wrong(), tally.Total(), len(tally.Examples()))
	}
	if got, want := tally.Examples()[0], "node 2 at 1.000 s: a session: revoked, and accepted (status 200)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOverdue(t *testing.T) {
	token := Token{Ends: []*End{end(1*s, 2*s), end(1*s, 3*s), end(1*s, 0)}}
	for asked, want := range map[time.Duration]time.Duration{1 * s: 0, 2 * s: 0, 5 * s: 3 * s} {
		if got := token.Overdue(Answer{Asked: asked}); got != want {
			t.Errorf("asked at %v: %v, want %v", asked, got, want)
		}
	}
}
