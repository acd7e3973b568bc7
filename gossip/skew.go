package gossip

import (
	"slices"
	"time"

	"rescind"
)

// skew bounds by how much a member's wall clock is ahead of ours: a beat of its
// that echoes ours was sent after we sent ours and before we received it
// (Cristian, "Probabilistic Clock Synchronization", 1989). A message that was
// held up makes the bounds wider, never wrong.
type skew struct {
	least, most time.Duration
	known       bool
}

func (s skew) middle() time.Duration { return s.least + s.doubt() }

func (s skew) doubt() time.Duration { return (s.most - s.least) / 2 }

// tooLarge reports whether the clocks are proven to differ by more than is
// assumed.
func (s skew) tooLarge() bool {
	return s.known && (s.least > rescind.MaxClockSkew || s.most < -rescind.MaxClockSkew)
}

// setWall takes a reading of the wall clock, which may step. One that has jumped
// is believed when it has gone evenly for stableClock and no member contradicts:
// a node that is alone can't know more.
func (c *Core) setWall(now time.Duration, wall rescind.Millis) {
	before := c.wall
	c.wall = min(max(time.Duration(wall), 0), time.Duration(maxClock))*time.Millisecond - now
	if (c.wall - before).Abs() > time.Second {
		c.wallSince = now
	}
	// Theirs have not moved. So a clock that jumps is found to contradict all at
	// once, and one other that happens to jump alike can't confirm it.
	for _, p := range c.list {
		p.skew.least -= c.wall - before
		p.skew.most -= c.wall - before
	}
	if now-c.wallSince < stableClock {
		return
	}
	if _, off := c.ClockOff(now); !off {
		c.confirmed = c.wall
	}
}

func (c *Core) wallAt(now time.Duration) rescind.Millis {
	return rescind.Millis((c.wall + now).Milliseconds())
}

// Lapsing returns the time by which records lapse: the wall clock as a member
// has last confirmed it, or as it is now where that is less. So a clock that
// jumps ahead drops nothing early, and one that jumps back only keeps it longer.
// trusted is false, and nothing may be forgotten, before any member has
// confirmed the clock and while most contradict it.
func (c *Core) Lapsing(now time.Duration) (at rescind.Millis, trusted bool) {
	_, off := c.ClockOff(now)
	return rescind.Millis((min(c.wall, c.confirmed) + now).Milliseconds()), c.synced && !off
}

// measureSkew draws the conclusion from a beat that p sent when its wall clock
// showed clock, after it had received what we sent at sent.
func (c *Core) measureSkew(now time.Duration, p *peer, sent time.Duration, clock rescind.Millis) {
	theirs := time.Duration(clock) * time.Millisecond
	p.skew = skew{least: theirs - c.wall - now, most: theirs + time.Millisecond - c.wall - sent, known: true}
	// As many against it as for it don't confirm it.
	if apart, known := c.apart(now); 2*len(apart) < known && !p.skew.tooLarge() {
		c.confirmed = c.wall
	}
}

// apart returns by how much the wall clocks of members that are being heard are
// ahead of ours, of those that are proven to differ by more than is assumed, and
// of how many members it is known.
func (c *Core) apart(now time.Duration) (by []time.Duration, known int) {
	for _, p := range c.list {
		if !p.alive(now) || !p.skew.known {
			continue
		}
		known++
		if p.skew.tooLarge() {
			by = append(by, p.skew.middle())
		}
	}
	return by, known
}

// ClockOff reports whether this node's wall clock is proven to differ by more
// than rescind.MaxClockSkew from those of most members that are being heard,
// and by how much it is behind them (negative: ahead), the middle one of them.
// A node that starts with such a clock does not come to be synchronised: what it
// forgets and what it takes for "now" would be wrong. When the clock has been
// set right, it goes on.
func (c *Core) ClockOff(now time.Duration) (behind time.Duration, off bool) {
	apart, known := c.apart(now)
	if 2*len(apart) <= known {
		return 0, false
	}
	slices.Sort(apart)
	return apart[len(apart)/2], true
}
