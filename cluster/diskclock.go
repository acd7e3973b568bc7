package cluster

import (
	"context"
	"fmt"
	"time"

	"rescind"
	"rescind/internal/store"
)

// diskLag is for how much longer than memory the disk keeps what has lapsed, in
// hours of running, and twice that at most. Meanwhile a restart brings back what a
// clock has dropped that was wrong for so long that it was believed, and has been
// set right since.
const diskLag = 6 * time.Hour

// diskClock decides by which time the disk drops what memory has forgotten.
type diskClock struct{ store.Clock }

// turn notes that by now memory forgets what lapsed at lapsing, so long after the
// turn before, and returns the time by which the disk drops; 0: it drops nothing.
func (c *diskClock) turn(lapsing rescind.Millis, elapsed time.Duration) (drop rescind.Millis) {
	c.Confirmed = lapsing
	c.Waiting = min(c.Waiting, lapsing) // a clock that was set back takes back what it said
	c.Waited += min(elapsed, 2*dropEvery)
	if c.Waited < diskLag {
		return 0
	}
	drop, c.Waiting, c.Waited = c.Waiting, lapsing, 0
	return drop
}

// dropLapsed drops from where records are kept what lapsed long enough ago, unless the clock
// that says so is in doubt.
func (n *Node) dropLapsed(ctx context.Context, c *diskClock, elapsed time.Duration) error {
	lapsing, trusted := n.lapsing()
	if !trusted {
		return nil
	}
	if n.shared != nil {
		if err := n.store.Drop(ctx, lapsing); err != nil && ctx.Err() == nil {
			n.log.Warn("could not drop lapsed revocations; they stay for another minute", "error", err)
		}
		return nil
	}
	drop := c.turn(lapsing, elapsed)
	if err := n.store.KeepClock(c.Clock); err != nil {
		return fmt.Errorf("store the clock by which revocations lapse: %w", err)
	}
	if drop == 0 {
		return nil
	}
	if err := n.store.Drop(ctx, drop); err != nil && ctx.Err() == nil {
		return fmt.Errorf("drop lapsed revocations from disk: %w", err)
	}
	return nil
}
