// Package lag holds what a node claims of its staleness against how far it is
// behind in truth.
//
// At each member probes are revoked all the time. A node is behind a member by the
// age of the oldest probe that the member has acknowledged and the node does not
// refuse yet; its claim is understated if that is more than the claim.
//
// All times are on the observer's clock, and each is read in the direction in which
// a true claim can't look false:
//
//   - A probe counts as acknowledged when the answer has arrived, which is later
//     than the acknowledgement.
//   - A claim counts as made when it was asked for, which is earlier. So the claim
//     speaks of more than what it is held against.
//   - Whether the node refuses is asked after the claim has arrived. What it refuses
//     it refuses for ever, so what it accepts now it did not refuse then.
//
// An understatement can therefore hide only if it is smaller than what these take: a
// revocation's round trip and two requests to the node on loopback. [Moment.Slack]
// says how much that was.
package lag

import (
	"sync"
	"time"
)

// Probe is a token that was revoked.
type Probe struct {
	Token         string
	Called, Acked time.Duration
}

// Stream is the probes that one member has acknowledged, in that order. The zero
// value is empty. Safe for concurrent use.
type Stream struct {
	mu     sync.Mutex // guards probes
	probes []Probe
}

// Add appends a probe whose acknowledgement has just arrived; now returns the time.
func (s *Stream) Add(p Probe, now func() time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Acked = now() // under the lock, so that they are in order
	s.probes = append(s.probes, p)
}

// Before returns how many probes had been acknowledged at a time.
func (s *Stream) Before(at time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.probes)
	for n > 0 && s.probes[n-1].Acked > at {
		n--
	}
	return n
}

// At returns probe i, and whether there is one.
func (s *Stream) At(i int) (Probe, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 || i >= len(s.probes) {
		return Probe{}, false
	}
	return s.probes[i], true
}

// Answer is what a node says to a probe.
type Answer uint8

const (
	NoAnswer Answer = iota
	Refuses         // it knows of the revocation
	Not             // it does not: it accepts the token, or can't tell
)

// Witness knows which probes of one stream one node refuses. Safe for concurrent
// use.
type Witness struct {
	stream *Stream

	mu      sync.Mutex // guards refused
	refused int        // all probes before this one are
}

// NewWitness returns one that has seen nothing.
func NewWitness(s *Stream) *Witness { return &Witness{stream: s} }

// Refused returns how many probes of the stream, from the first on, the node is
// known to refuse.
func (w *Witness) Refused() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused
}

func (w *Witness) refuses(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = max(w.refused, i+1)
}

// Claim is what a node says of its staleness against one member.
type Claim struct {
	Known bool // false: it says that it does not know, which is never too little
	Bound time.Duration

	Asked, Answered time.Duration // when the observer asked, and had the answer
}

// Moment is a claim beside the truth.
type Moment struct {
	Claim
	True  time.Duration // at least; 0: it refuses everything
	Slack time.Duration // by how much more it may have been behind, unseen
}

// Understated reports whether the claim was below the truth.
func (m Moment) Understated() bool { return m.Known && m.True > m.Bound }

// Compare asks about the oldest probe that had been acknowledged before the claim
// and is not known to be refused. now returns the time. It fails where the node does
// not answer.
func (w *Witness) Compare(c Claim, now func() time.Duration, ask func(Probe) Answer) (m Moment, ok bool) {
	m.Claim = c
	for i := w.Refused(); ; i++ {
		p, there := w.stream.At(i)
		if !there || p.Acked > c.Asked {
			m.Slack = now() - c.Asked
			return m, true
		}
		switch ask(p) {
		case Refuses:
			w.refuses(i)
		case Not:
			m.True = c.Asked - p.Acked
			m.Slack = p.Acked - p.Called + c.Answered - c.Asked
			return m, true
		default:
			return m, false
		}
	}
}
