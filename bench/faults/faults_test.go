package faults

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"rescind/bench/lag"
	"rescind/bench/report"
)

// toldNode is a node that knows what it was told and claims what it likes.
type toldNode struct {
	mu     sync.Mutex
	known  map[string]bool
	claim  lag.Claim
	deaf   int // the status of what it does not know: 200, or 503 if it rejects
	silent bool
}

func (n *toldNode) claims(context.Context) (map[string]lag.Claim, lag.Claim, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.silent {
		return nil, lag.Claim{}, errors.New("no answer")
	}
	return map[string]lag.Claim{"n1": n.claim, "n2": n.claim}, n.claim, nil
}

func (n *toldNode) check(_ context.Context, token string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.silent:
		return 0
	case n.known[token]:
		return http.StatusUnauthorized
	default:
		return n.deaf
	}
}

// A planted understatement is counted, whether the node serves or rejects; a true
// claim, one of not knowing and no answer are not.
func TestFaultsSeeAClaimBelowTheTruth(t *testing.T) {
	const behind = 50 * time.Millisecond
	for name, c := range map[string]struct {
		node    *toldNode
		wrongs  bool
		moments bool
	}{
		"serves and says too little":  {&toldNode{deaf: 200, claim: lag.Claim{Known: true, Bound: behind / 2}}, true, true},
		"rejects and says too little": {&toldNode{deaf: 503, claim: lag.Claim{Known: true, Bound: behind / 2}}, true, true},
		"says enough":                 {&toldNode{deaf: 200, claim: lag.Claim{Known: true, Bound: time.Hour}}, false, true},
		"does not know":               {&toldNode{deaf: 200}, false, false},
		"knows everything":            {&toldNode{deaf: 200, known: map[string]bool{"probe": true}, claim: lag.Claim{Known: true}}, false, true},
		"does not answer":             {&toldNode{silent: true}, false, false},
	} {
		r := &faultRun{phase: "parted"}
		nodes := []observed{&toldNode{deaf: 200}, c.node}
		r.watch = newObserver(nodes, []string{"n1", "n2"}, "live", r.current, r.take)
		r.watch.streams[0].Add(lag.Probe{Token: "probe", Called: r.watch.clock.Now()}, r.watch.clock.Now)
		for end := r.watch.clock.Now() + behind; r.watch.clock.Now() < end; {
			r.watch.look(t.Context(), 1)
		}
		r.watch.look(t.Context(), 1) // once at least it is asked when it is that far behind
		if r.wrongs > 0 != c.wrongs || r.moments > 0 != c.moments {
			t.Errorf("%s: %d of %d claims are called too low: %v", name, r.wrongs, r.moments, r.understated)
		}
		if name == "does not answer" || !c.moments {
			continue
		}
		var out bytes.Buffer
		result := report.New("faults")
		if err := r.print(&out, result, ""); (err != nil) != c.wrongs || result.Figures["faults.understated"] != float64(r.wrongs) {
			t.Errorf("%s: the run ends with %v and %v", name, err, result.Figures["faults.understated"])
		}
		if known := name == "knows everything"; r.watch.caughtUp(r.watch.clock.Now()) != known {
			t.Errorf("%s: caught up: %v", name, !known)
		}
	}
}

// What users get is counted by phase, node and token.
func TestFaultsCountAnswers(t *testing.T) {
	r := &faultRun{phase: "parted"}
	nodes := []observed{&toldNode{known: map[string]bool{"probe": true}, deaf: 200}, &toldNode{deaf: 503}}
	r.watch = newObserver(nodes, []string{"n1", "n2"}, "live", r.current, func(sampled) {})
	for k := range nodes {
		r.watch.streams[k].Add(lag.Probe{Token: "probe"}, r.watch.clock.Now)
	}
	for i := range nodes {
		r.watch.userChecks(t.Context(), i, "parted")
	}
	for key, want := range map[answerKey]int{
		{"parted", 0, false, 200}: 1, {"parted", 0, true, 401}: 1, {"parted", 1, false, 503}: 1, {"parted", 1, true, 503}: 1,
	} {
		if got := r.watch.answers[key]; got != want {
			t.Errorf("%+v: %d, want %d", key, got, want)
		}
	}
	if got := r.counts("parted", true, 0, 1); got[1] != 1 || got[2] != 1 || got[0]+got[3] != 0 {
		t.Errorf("counts are %v", got)
	}
}
