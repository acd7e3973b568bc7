// Package oracle knows what the answer to a token must be, from what the one who
// ends tokens has seen himself, and so finds the answers that are wrong.
//
// It takes the side of a user. A revocation that was acknowledged longer ago than
// the window must be obeyed by every node; until then, and for one whose
// acknowledgement never came, both answers are right; what nobody revoked must be
// accepted. An instant is always read so that a right answer can't look wrong:
// an end counts as called before the call leaves and as acknowledged after the
// answer has come, a check as asked before it leaves and as answered afterwards.
// A node can therefore be wrong unnoticed by as much as a message travels, and no
// longer.
package oracle

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// End is an event that ends tokens: a log-out, of which the answer says that it
// holds. The zero value has not been called. Safe for concurrent use.
type End struct {
	called, acked atomic.Int64 // nanoseconds of the Clock; 0: not yet
}

// Clock counts from its start, so that instants fit an atomic integer.
type Clock struct{ start time.Time }

// NewClock returns a clock that starts now.
func NewClock() Clock { return Clock{time.Now().Add(-1)} }

// Now returns the time since the start, which is above 0.
func (c Clock) Now() time.Duration { return time.Since(c.start) }

// Call notes that the call leaves now.
func (e *End) Call(now time.Duration) { e.called.CompareAndSwap(0, int64(now)) }

// Ack notes that the call has been acknowledged. Without it the fate of what it
// ends is unknown.
func (e *End) Ack(now time.Duration) { e.acked.CompareAndSwap(0, int64(now)) }

// Called reports whether the call has left.
func (e *End) Called() bool { return e.called.Load() != 0 }

// Token is what the oracle knows of one token. Safe for concurrent use once its
// Ends are complete.
type Token struct {
	Ends []*End // each of them ends it

	mu      sync.Mutex // guards refused
	refused map[int]time.Duration
}

// Answer is one answer about a token. Status is that of HTTP, 0 if no answer came.
type Answer struct {
	Node            int
	Asked, Answered time.Duration
	Status          int
}

// Verdict says what is wrong with an answer.
type Verdict uint8

const (
	Right    Verdict = iota
	Accepted         // a token got through that had been revoked longer ago than the window
	Refused          // a token was refused that nobody had revoked
	Returned         // a node accepted what it had refused before
	Withheld         // neither 200 nor 401, where one of them was due
	verdicts
)

func (v Verdict) String() string {
	return [verdicts]string{"right", "revoked, and accepted", "live, and refused", "refused, and accepted again", "neither accepted nor refused"}[v]
}

// Judge says what is wrong with a, given the window within which every node must
// obey.
func (t *Token) Judge(a Answer, window time.Duration) Verdict {
	must, may := t.ended(a, window)
	switch a.Status {
	case http.StatusOK:
		switch {
		case must:
			return Accepted
		case t.refusedBefore(a):
			return Returned
		}
	case http.StatusUnauthorized:
		if !may {
			return Refused
		}
		t.noteRefusal(a)
	default:
		return Withheld
	}
	return Right
}

// ended reports whether the token must be refused, and whether it may be.
func (t *Token) ended(a Answer, window time.Duration) (must, may bool) {
	for _, e := range t.Ends {
		called, acked := time.Duration(e.called.Load()), time.Duration(e.acked.Load())
		must = must || acked != 0 && acked+window < a.Asked
		may = may || called != 0 && called <= a.Answered
	}
	return must, may
}

// Overdue returns for how long a's node should have known that the token has
// ended, at the least; 0 if it need not have.
func (t *Token) Overdue(a Answer) (since time.Duration) {
	for _, e := range t.Ends {
		if acked := time.Duration(e.acked.Load()); acked != 0 {
			since = max(since, a.Asked-acked)
		}
	}
	return since
}

func (t *Token) refusedBefore(a Answer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, ok := t.refused[a.Node]
	return ok && first < a.Asked
}

func (t *Token) noteRefusal(a Answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first, ok := t.refused[a.Node]; !ok || a.Answered < first {
		if t.refused == nil {
			t.refused = map[int]time.Duration{}
		}
		t.refused[a.Node] = a.Answered
	}
}

// Tally counts verdicts and keeps the first wrong ones in words. The zero value
// is ready. Safe for concurrent use.
type Tally struct {
	mu       sync.Mutex // guards the fields below
	counts   [verdicts]int
	examples []string
}

// maxExamples bounds the words: one fault makes thousands of wrong answers.
const maxExamples = 10

// Count adds a verdict on an answer about what.
func (t *Tally) Count(v Verdict, a Answer, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[v]++
	if v != Right && len(t.examples) < maxExamples {
		t.examples = append(t.examples, fmt.Sprintf("node %d at %.3f s: %s: %s (status %d)", a.Node+1, a.Asked.Seconds(), what, v, a.Status))
	}
}

// Of returns how many answers got the verdict.
func (t *Tally) Of(v Verdict) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[v]
}

// Total returns how many answers were judged.
func (t *Tally) Total() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.counts {
		n += c
	}
	return n
}

// Wrong returns how many answers were not right.
func (t *Tally) Wrong() int { return t.Total() - t.Of(Right) }

// Examples returns the first wrong answers in words.
func (t *Tally) Examples() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string{}, t.examples...)
}
