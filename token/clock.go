package token

import (
	"errors"
	"time"

	"rescind"
)

// ClockChecker is a Checker that can tell whether this machine's wall clock may be
// taken for the time. *cluster.Node is one: its peers may contradict the clock. Of any
// other Checker the clock is doubted while it answers rescind.Unknown.
type ClockChecker interface {
	Checker

	// KnowsTime reports whether what the wall clock shows now may be relied upon.
	// It must not block.
	KnowsTime() bool
}

// errClock is what a refusal becomes that rests on the time, where nobody here
// knows the time. 401 would make the client throw away a token that may be good.
var errClock = refuse(ErrNotReady, "time", "this node can not tell right now whether its clock is right")

// restsOnTime reports whether another clock might have come to another answer.
func restsOnTime(err error) bool {
	for _, e := range []error{ErrExpired, ErrNotYetValid, ErrIssuedInFuture, ErrLifetime} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// knowsTime reports whether c relies on this machine's clock.
func knowsTime(c Checker) bool {
	switch c := c.(type) {
	case nil:
		return true
	case ClockChecker:
		return c.KnowsTime()
	default:
		return c.Check(rescind.Token{}) != rescind.Unknown // of nobody's token it tells only whether it can know
	}
}

// clock returns who knows whether the clock is right.
func (v *Verifier) clock() Checker {
	if v.config.Checker != nil {
		return v.config.Checker
	}
	return v.config.clock
}

// refuseByTime is asked about a token that the clock refused. The refusal stands only
// where the clock is relied upon before and after it is read once more: it may
// have jumped. What is known against the token stands in any case.
func (v *Verifier) refuseByTime(a *authentic, r rules) (now time.Time, err error) {
	relied := knowsTime(v.clock())
	now = v.config.Now()
	err = v.judge(a, r, rescind.MillisOf(now))
	if err != nil && relied && knowsTime(v.clock()) {
		return now, err
	}
	if standing := v.checkStanding(a, r, rescind.MillisOf(now)); standing != nil && !cannotKnow(standing) {
		return now, standing
	}
	if err != nil {
		return now, errClock
	}
	return now, nil
}
