package gossip

import (
	"time"

	"rescind"
)

// believeAfter is how long a wall clock must go evenly before records lapse by
// a lead of its, see lapse.
const believeAfter = time.Hour

// lapse decides by which wall clock records lapse. It governs forgetting and
// nothing else.
//
// The clocks of all members may be wrong together: containers of one host, or one
// bad time server. So nobody's agreement confirms a clock. What does is time: a
// clock that is ahead of what was believed is believed once it has been so, evenly
// and with no majority of members against it, for Config.BelieveAfter. Waiting
// costs only the memory of records that are kept longer. A clock that goes back is
// believed at once, since that only keeps records longer, too.
//
// Invariant: believed is at most the wall clock of the last reading.
type lapse struct {
	after    time.Duration
	believed time.Duration // the wall clock less the steady one, as all below

	// The lead that is on trial, if ahead: its first reading, its lowest, and since
	// when no reading has been more than rescind.MaxClockSkew from the first.
	ahead         bool
	first, lowest time.Duration
	since         time.Duration
}

// newLapse begins with the wall clock that an earlier life of the node has
// believed, or with 1970 if that is 0: then nothing lapses before a lead is
// believed.
func newLapse(after, now time.Duration, confirmed rescind.Millis) lapse {
	return lapse{after: after, believed: sinceEpoch(confirmed) - now}
}

// read takes a reading. contradicted says that most members being heard prove
// this clock wrong, and begins the trial anew.
func (l *lapse) read(now, wall time.Duration, contradicted bool) {
	if wall <= l.believed {
		l.believed, l.ahead = wall, false
		return
	}
	if !l.ahead || contradicted || (wall-l.first).Abs() > rescind.MaxClockSkew {
		l.begin(now, wall)
	}
	l.lowest = min(l.lowest, wall)
	if now-l.since >= l.after {
		l.believed = l.lowest
		l.begin(now, wall)
	}
}

func (l *lapse) begin(now, wall time.Duration) {
	l.ahead, l.first, l.lowest, l.since = true, wall, wall, now
}

// sinceEpoch bounds a reading of a wall clock, so that no arithmetic on it can
// overflow.
func sinceEpoch(m rescind.Millis) time.Duration {
	return time.Duration(min(max(m, 0), maxClock)) * time.Millisecond
}

// Lapsing returns the time by which records lapse: the wall clock as far as it
// is believed, see lapse. So a clock that jumps ahead drops nothing early,
// whoever jumps with it, and one that jumps back only keeps it longer. trusted is
// false, and nothing may be forgotten, before this node has caught up with a member,
// and while most members contradict its clock.
//
// The caller stores it now and then, while it is trusted, for Config.Confirmed of
// the next life.
func (c *Core) Lapsing(now time.Duration) (at rescind.Millis, trusted bool) {
	_, off := c.ClockOff(now)
	return rescind.Millis((min(c.wall, c.lapse.believed) + now).Milliseconds()), c.synced && !off
}
