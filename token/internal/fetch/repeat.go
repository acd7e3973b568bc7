package fetch

import (
	"context"
	"math/rand/v2"
	"time"
)

// Failed fetches are repeated after retryMin, twice that, up to RetryMax.
const (
	retryMin = time.Second
	RetryMax = time.Minute
)

// Pause sleeps for d, or until ctx ends or early receives.
func Pause(ctx context.Context, d time.Duration, early <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-early:
	case <-t.C:
	}
}

func Backoff(failures int) time.Duration {
	return Jitter(min(retryMin<<min(failures-1, 10), RetryMax))
}

// Jitter varies d by up to a tenth.
func Jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5)
}
