// Package pace does things in time: at a fixed rate whatever the answers take, after
// a while, or as soon as something is so.
package pace

import (
	"context"
	"sync"
	"time"
)

// Calls calls f for 0 to n-1 at a fixed rate, each in a goroutine of its own, and
// returns when all have returned. It waits for none before it starts the next
// (open loop): a system that is slow does not get less to do. f is told when
// the call was due. If ctx ends, started is how many there were.
func Calls(ctx context.Context, rate, n int, f func(i int, due time.Time)) (started int, err error) {
	clock, err := newNapper()
	if err != nil {
		return 0, err
	}
	defer clock.close()
	var calls sync.WaitGroup
	defer calls.Wait()
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		clock.nap(time.Until(due))
		if ctx.Err() != nil {
			return i, ctx.Err()
		}
		calls.Go(func() { f(i, due) })
	}
	return n, nil
}

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Until polls until ok, for ten seconds.
func Until(ctx context.Context, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
