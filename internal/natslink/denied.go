package natslink

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// DeniedError says that the server does not let this client use a subject.
// Servers tell that beside the request, which then waits in vain.
type DeniedError struct {
	Verb    string // "publish" or "subscribe"
	Subject string
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("the NATS user of this node may not %s to %s; grant it that, see the list of permissions in docs/operations.md", e.Verb, e.Subject)
}

var deniedRe = regexp.MustCompile(`(?i)permissions violation for (publish|subscription) to "([^"]+)"`)

// deniedIn returns what err says was denied, or nil.
func deniedIn(err error) *DeniedError {
	m := deniedRe.FindStringSubmatch(fmt.Sprint(err))
	if m == nil {
		return nil
	}
	d := &DeniedError{Verb: "publish", Subject: m[2]}
	if strings.EqualFold(m[1], "subscription") {
		d.Verb = "subscribe"
	}
	return d
}

// attempts are the requests under way, which end when they are denied.
type attempts struct {
	mu   sync.Mutex // guards what follows
	next int
	open map[int]attempt
}

type attempt struct {
	about  []string
	cancel context.CancelCauseFunc
}

// Attempt returns a context for one request, which ends after timeout, or with a
// *DeniedError as its cause when the server denies a subject that contains one
// of about, or a subscription: answers come by one. cancel must be called.
func (l *Link) Attempt(ctx context.Context, timeout time.Duration, about ...string) (inner context.Context, cancel context.CancelFunc) {
	timed, expire := context.WithTimeout(ctx, timeout)
	inner, end := context.WithCancelCause(timed)
	a := &l.attempts
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = map[int]attempt{}
	}
	n := a.next
	a.next++
	a.open[n] = attempt{about, end}
	return inner, func() {
		a.mu.Lock()
		delete(a.open, n)
		a.mu.Unlock()
		end(nil)
		expire()
	}
}

// Cause returns why an attempt failed: what the server denied, if it did, and else
// err.
func Cause(ctx context.Context, err error) error {
	if d, ok := errors.AsType[*DeniedError](context.Cause(ctx)); ok {
		return d
	}
	return err
}

// denied ends the attempts that err is about.
func (l *Link) denied(err error) {
	d := deniedIn(err)
	if d == nil || !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	a := &l.attempts
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.open {
		if d.Verb == "subscribe" || slices.ContainsFunc(one.about, func(about string) bool { return strings.Contains(d.Subject, about) }) {
			one.cancel(d)
		}
	}
}
