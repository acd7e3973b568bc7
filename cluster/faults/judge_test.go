package faults

import (
	"strings"
	"testing"
	"time"
)

// The checker finds what it is there for, and nothing in a good history.
func TestJudge(t *testing.T) {
	const s = time.Second
	revoked := []revocation{{id: "a", called: 1 * s, acked: 2 * s}, {id: "unknown", called: 1 * s}}
	for name, c := range map[string]struct {
		check check
		want  string
	}{
		"refused":                      {check{id: "a", asked: 3 * s, answered: 3 * s, status: 401}, ""},
		"refused between call and ack": {check{id: "a", asked: 1 * s, answered: 3 * s / 2, status: 401}, ""},
		"refused too early":            {check{id: "a", asked: 0, answered: s / 2, status: 401}, "nobody had revoked"},
		"refused without reason":       {check{id: "b", asked: 3 * s, answered: 3 * s, status: 401}, "nobody had revoked"},
		"fate unknown, refused":        {check{id: "unknown", asked: 3 * s, answered: 3 * s, status: 401}, ""},
		"fate unknown, accepted":       {check{id: "unknown", asked: 9 * s, answered: 9 * s, status: 200, afterwards: true}, ""},
		"stale as stated":              {check{id: "a", asked: 3 * s, answered: 9 * s, status: 200, atMost: s}, ""},
		"staler than stated":           {check{id: "a", asked: 3*s + 1, answered: 4 * s, status: 200, atMost: s}, "vouched"},
		"lost":                         {check{id: "a", asked: 9 * s, answered: 9 * s, status: 200, atMost: time.Hour, afterwards: true}, "lost"},
		"still not ready":              {check{id: "a", asked: 9 * s, answered: 9 * s, status: 503, afterwards: true}, "answers 503"},
		"cannot know":                  {check{id: "a", asked: 3 * s, answered: 3 * s, status: 503}, ""},
	} {
		h := history{revocations: revoked, checks: []check{c.check}}
		got := strings.Join(h.judge(), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Within one life a node never accepts again what it has refused.
func TestJudgeMonotone(t *testing.T) {
	h := history{revocations: []revocation{{id: "a", called: 1}}, checks: []check{
		{id: "a", life: 1, asked: 5, answered: 6, status: 401},
		{id: "a", life: 1, asked: 5, answered: 7, status: 200}, // began before
		{id: "a", life: 2, asked: 8, answered: 9, status: 200}, // another life: it was never acknowledged
		{id: "a", node: 1, life: 1, asked: 8, answered: 9, status: 200},
	}}
	if got := h.judge(); len(got) != 0 {
		t.Errorf("a good history: %v", got)
	}
	h.checks = append(h.checks, check{id: "a", life: 1, asked: 10, answered: 11, status: 200})
	if got := h.judge(); len(got) != 1 || !strings.Contains(got[0], "accepted it at") {
		t.Errorf("accepted again: %v", got)
	}
}
