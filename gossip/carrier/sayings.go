package carrier

import (
	"sync"
	"time"
)

// sayings bounds what a log is told, kind by kind, so that a flapping connection
// can't fill it and a frequent message does not hide a rare one. Of those that were
// held back the last is told when the period is over, so that the log ends with
// what is true.
type sayings struct {
	period time.Duration

	mu    sync.Mutex // guards the kinds
	kinds map[string]*saying
}

type saying struct {
	next  time.Time
	muted int
	last  func(muted int) // of those that were held back
}

// maxSayings bounds the kinds; what comes beyond shares one.
const maxSayings = 64

// say calls tell, now or later, with how many of its kind were not told since the
// last one; or never, if another of the kind takes its place.
func (s *sayings) say(now time.Time, kind string, tell func(muted int)) {
	s.mu.Lock()
	if s.kinds == nil {
		s.kinds = map[string]*saying{}
	}
	one := s.kinds[kind]
	if one == nil && len(s.kinds) >= maxSayings {
		kind = "" // the rest
		one = s.kinds[kind]
	}
	if one == nil {
		one = &saying{}
		s.kinds[kind] = one
	}
	if now.Before(one.next) {
		if one.last != nil {
			one.muted++
		}
		one.last = tell
		s.mu.Unlock()
		return
	}
	muted := one.end(now, s.period)
	s.mu.Unlock()
	tell(muted)
}

// end begins another period, and returns how many were not told in the one before.
func (o *saying) end(now time.Time, period time.Duration) (muted int) {
	muted = o.muted
	if o.last != nil {
		muted++
	}
	o.muted, o.last, o.next = 0, nil, now.Add(period)
	return muted
}

// lastWords tells what was held back last of each kind whose period is over. It is
// to be called now and then.
func (s *sayings) lastWords(now time.Time) {
	s.mu.Lock()
	var due []func()
	for _, one := range s.kinds {
		if one.last == nil || now.Before(one.next) {
			continue
		}
		tell := one.last
		muted := one.end(now, s.period) - 1 // the one that is told
		due = append(due, func() { tell(muted) })
	}
	s.mu.Unlock()
	for _, tell := range due {
		tell()
	}
}
