package sets

import (
	"sync"
	"time"

	"rescind/bench/ids"
)

// throughput is what one round measured.
type throughput struct {
	ns     float64 // wall time per check: with two goroutines, half of what one check takes
	missed int     // revoked identifiers that were not found
}

// measureChecks lets goroutines check identifiers for d. To make them takes a
// tenth of the time and is not counted.
func measureChecks(r rival, n, goroutines int, d time.Duration) throughput {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		busy   time.Duration // of all goroutines
		checks int
		missed int
	)
	start := time.Now()
	for g := range goroutines {
		wg.Go(func() {
			src := ids.NewSource(n, uint64(start.UnixNano())+uint64(g))
			ownBusy, ownChecks, ownMissed := time.Duration(0), 0, 0
			for time.Since(start) < d {
				src.Next()
				began := time.Now()
				found := r.check(src.IDs[:])
				ownBusy += time.Since(began)
				ownChecks += ids.Chunk
				ownMissed += max(0, src.Revoked-found)
			}
			mu.Lock()
			defer mu.Unlock()
			busy, checks, missed = busy+ownBusy, checks+ownChecks, missed+ownMissed
		})
	}
	wg.Wait()
	return throughput{float64(busy.Nanoseconds()) / float64(checks) / float64(goroutines), missed}
}
