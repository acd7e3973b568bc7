package sharedlog

import (
	"cmp"
	"errors"
	"sync"
	"time"
)

// patience is for how long a request may go unanswered before that is worth
// telling: servers elect a leader in less.
const patience = 4 * time.Second

// trouble is why nothing can be made durable at the moment.
type trouble struct {
	mu      sync.Mutex // guards the fields below
	lost    error      // what the stream lacks of what it had acknowledged
	commit  error      // of the commit under way
	rest    error      // of whatever else is written or read
	changed chan struct{}
}

func (t *trouble) init() { t.changed = make(chan struct{}) }

// set notes the trouble in one of the fields; a nil err is its end.
func (t *trouble) set(field *error, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if *field == nil && err == nil {
		return
	}
	*field = err
	close(t.changed)
	t.changed = make(chan struct{})
}

// tell sets the trouble where it is worth it: err after so many attempts since
// start.
func (t *trouble) tell(field *error, err error, since time.Duration) {
	for _, plain := range []error{ErrFull, ErrReplaced, ErrLost, ErrDenied, ErrRefused, ErrQuota, ErrOff, ErrTooOld} {
		if errors.Is(err, plain) {
			t.set(field, err)
			return
		}
	}
	if since >= patience {
		t.set(field, err)
	}
}

// Trouble says why nothing can be made durable at the moment, or nil. changed
// is closed when that may be no longer true. While there is trouble, commits
// wait and none is lost.
func (l *Log) Trouble() (changed <-chan struct{}, err error) {
	l.trouble.mu.Lock()
	defer l.trouble.mu.Unlock()
	return l.trouble.changed, cmp.Or(l.trouble.lost, l.trouble.commit, l.trouble.rest)
}
