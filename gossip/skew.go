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

// setWall takes a reading of the wall clock, which may step.
func (c *Core) setWall(now time.Duration, wall rescind.Millis) {
	before := c.wall
	c.wall = sinceEpoch(wall) - now
	// Theirs have not moved. So a clock that jumps is found to contradict all at
	// once, until they are heard again.
	for _, p := range c.list {
		p.skew.least -= c.wall - before
		p.skew.most -= c.wall - before
	}
	_, off := c.ClockOff(now)
	c.lapse.read(now, c.wall, off)
}

func (c *Core) wallAt(now time.Duration) rescind.Millis {
	return rescind.Millis((c.wall + now).Milliseconds())
}

// measureSkew draws the conclusion from a beat that p sent when its wall clock
// showed clock, after it had received what we sent at sent.
func (c *Core) measureSkew(now time.Duration, p *peer, sent time.Duration, clock rescind.Millis) {
	theirs := time.Duration(clock) * time.Millisecond
	p.skew = skew{least: theirs - c.wall - now, most: theirs + time.Millisecond - c.wall - sent, known: true}
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
