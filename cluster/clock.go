package cluster

import (
	"time"

	"rescind"
)

// clock gives the two readings that a node needs.
type clock struct {
	started     time.Duration // on the steady clock
	startedWall time.Time
}

func newClock() clock { return clock{started: steady(), startedWall: time.Now()} }

// retention returns the time by which records lapse: the wall clock, or the
// time since the node started where that is less. A wall clock that jumps
// ahead can then drop nothing early; one that jumps back only keeps it longer.
func (c clock) retention() rescind.Millis {
	return min(rescind.MillisOf(time.Now()), rescind.MillisOf(c.startedWall.Add(steady()-c.started)))
}
