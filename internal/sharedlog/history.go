package sharedlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Errors that say that the stream lacks what it had acknowledged.
var (
	// ErrLost: messages are gone that nobody of the cluster has dropped.
	ErrLost = errors.New("the stream of revocations lacks messages that it had acknowledged: its server came back with an older copy, or somebody purged it")

	// errSuperseded: a message was sent before it was noticed that some are gone.
	errSuperseded = errors.New("the stream was found to be older meanwhile")
)

// history is what is known of the order of the stream: numbers that it has given
// are not given again, unless it has become an older one.
type history struct {
	mu   sync.Mutex         // guards the fields below
	age  uint64             // counts how often the stream was found to lack something
	lost error              // what it lacks and nobody has written back yet; nil: nothing
	top  uint64             // the highest number of a message that was seen in this age
	stop context.CancelFunc // ends the reading in progress
	mark ownMark            // this node's last one
}

// ownMark is a message of this node's that must stay what it is: nothing but
// this node removes it.
type ownMark struct {
	seq    uint64 // 0: none in this age
	sealed []byte
}

// attempt is what was known when a message was sent.
type attempt struct{ age, top uint64 }

func (h *history) begin() attempt {
	h.mu.Lock()
	defer h.mu.Unlock()
	return attempt{h.age, h.top}
}

// took notes that the stream has given number seq to a message of attempt a.
func (h *history) took(a attempt, seq uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case a.age != h.age:
		return errSuperseded
	case seq <= a.top:
		return fmt.Errorf("%w (it gave number %d after %d)", ErrLost, seq, a.top)
	}
	h.top = max(h.top, seq)
	return nil
}

// saw notes that message seq has been read.
func (h *history) saw(seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.top = max(h.top, seq)
}

// watch returns a context that ends with ctx, and when the stream is found to lack
// something. done must be called.
func (h *history) watch(ctx context.Context) (inner context.Context, age uint64, done func(), lost error) {
	inner, cancel := context.WithCancel(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stop = cancel
	return inner, h.age, cancel, h.lost
}

// state returns what the stream lacks, and since which age.
func (h *history) state() (age uint64, lost error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.age, h.lost
}

// lose notes that the stream lacks something, as was found in an age; what was
// found in an earlier one is known already.
func (h *history) lose(age uint64, err error) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if age != h.age {
		return false
	}
	h.age++
	h.lost, h.top, h.mark = err, 0, ownMark{}
	if h.stop != nil {
		h.stop()
	}
	return true
}

// mend notes that nothing is missing any more, if that was found in this age.
func (h *history) mend(age uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if age != h.age {
		return false
	}
	h.lost = nil
	return true
}

func (h *history) lastMark() (age uint64, m ownMark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.age, h.mark
}

func (h *history) marked(age uint64, m ownMark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if age == h.age {
		h.mark = m
	}
}

// lose raises trouble: nothing is acknowledged until what this node holds is in
// the stream again.
func (l *Log) lose(age uint64, err error) {
	if !l.history.lose(age, err) {
		return
	}
	l.counters.losses.Add(1)
	l.trouble.set(&l.trouble.lost, err)
	l.log.Error("the stream of revocations has lost something; nothing is acknowledged until it is written back", "stream", l.cfg.Stream, "error", err)
}
