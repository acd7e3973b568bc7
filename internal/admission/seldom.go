package admission

import (
	"sync"
	"time"
)

// Seldom lets one event in a period through, so that what strangers cause can't fill
// a log. Its methods are safe for concurrent use.
type Seldom struct {
	Period time.Duration

	mu    sync.Mutex // guards the fields below
	next  time.Time
	muted uint64
}

// Allow reports whether to speak at now, and how often it was silent before.
func (s *Seldom) Allow(now time.Time) (muted uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.next) {
		s.muted++
		return 0, false
	}
	muted, s.muted = s.muted, 0
	s.next = now.Add(s.Period)
	return muted, true
}
