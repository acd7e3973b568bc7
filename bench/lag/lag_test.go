package lag

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// world is a node that learns of each probe some time after its acknowledgement,
// in a time that passes by calls.
type world struct {
	now    time.Duration
	stream Stream
	learns map[string]time.Duration
}

func (w *world) clock() time.Duration { return w.now }

// revoke takes 4 ms, half of it before the member has acknowledged.
func (w *world) revoke(token string, learns time.Duration) {
	p := Probe{Token: token, Called: w.now}
	w.now += 4 * ms
	w.stream.Add(p, w.clock)
	if w.learns == nil {
		w.learns = map[string]time.Duration{}
	}
	w.learns[token] = learns
}

func (w *world) ask(p Probe) Answer {
	w.now += ms
	if w.now >= w.learns[p.Token] {
		return Refuses
	}
	return Not
}

// claim asks a node that states bound; both ways take 1 ms.
func (w *world) claim(bound time.Duration) Claim {
	c := Claim{Known: true, Bound: bound, Asked: w.now}
	w.now += 2 * ms
	c.Answered = w.now
	return c
}

// A claim below the truth is found, however small the difference, and one that is
// true is never called false.
func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		bound   time.Duration
		unknown bool
		learns  time.Duration
		want    time.Duration // the true lag, seen
		too     bool
	}{
		"knows everything":         {bound: 0, learns: 0},
		"learned just now":         {bound: 0, learns: 1003 * ms},
		"behind, and says so":      {bound: 1000 * ms, learns: 9999 * ms, want: 996 * ms},
		"exactly":                  {bound: 996 * ms, learns: 9999 * ms, want: 996 * ms},
		"says a little too little": {bound: 996*ms - 1, learns: 9999 * ms, want: 996 * ms, too: true},
		"says nothing":             {bound: 0, learns: 9999 * ms, want: 996 * ms, too: true},
		"does not know":            {unknown: true, learns: 9999 * ms, want: 996 * ms},
	} {
		w := &world{}
		w.revoke("a", c.learns)
		witness := NewWitness(&w.stream)
		w.now = 1000 * ms
		claim := w.claim(c.bound)
		claim.Known = !c.unknown
		m, ok := witness.Compare(claim, w.clock, w.ask)
		if !ok || m.True != c.want || m.Understated() != c.too {
			t.Errorf("%s: %+v (%v, understated: %v), want %v", name, m, ok, m.Understated(), c.want)
		}
		if m.Slack < 0 || m.Slack > 6*ms {
			t.Errorf("%s: slack %v", name, m.Slack)
		}
	}
}

// The truth is that of the oldest probe that is not refused, whatever is known of
// later ones, and what was acknowledged after the claim does not count.
func TestCompareTakesTheOldest(t *testing.T) {
	w := &world{}
	w.revoke("known", 0)
	w.revoke("oldest", 500*ms)
	w.revoke("known too", 0)
	witness := NewWitness(&w.stream)
	w.now = 100 * ms
	claim := w.claim(95 * ms)
	w.revoke("after the claim", 9999*ms)
	m, ok := witness.Compare(claim, w.clock, w.ask)
	if !ok || m.True != 92*ms || m.Understated() || witness.Refused() != 1 {
		t.Errorf("%+v, %v, %d refused", m, ok, witness.Refused())
	}
	w.now = 600 * ms // it has learned of the oldest
	claim = w.claim(0)
	if m, ok = witness.Compare(claim, w.clock, w.ask); !ok || m.True != 600*ms-(w.at(3)) || !m.Understated() {
		t.Errorf("%+v, %v", m, ok)
	}
	if n := w.stream.Before(100 * ms); n != 3 {
		t.Errorf("%d probes before the first claim", n)
	}
}

func (w *world) at(i int) time.Duration {
	p, _ := w.stream.At(i)
	return p.Acked
}

// Without an answer nothing is said.
func TestCompareWithoutAnAnswer(t *testing.T) {
	w := &world{}
	w.revoke("a", 0)
	w.now = 50 * ms
	if m, ok := NewWitness(&w.stream).Compare(w.claim(0), w.clock, func(Probe) Answer { return NoAnswer }); ok {
		t.Errorf("%+v", m)
	}
}
