package rescind

import (
	"testing"
	"time"
)

// TestFirstUnswept: of the first bucket that is compared no node has swept any
// record even at the end of a comparison; one bucket lower, some may have.
func TestFirstUnswept(t *testing.T) {
	const within = 30 * time.Second
	width := Millis(BucketWidth.Milliseconds())
	for now := 3_000_000 * width; now < 3_000_001*width; now += 777 {
		fast := now.Add(within + MaxClockSkew)
		first := FirstUnswept(now, within)
		if (Record{ExpiresAt: Millis(first) * width}).Lapsed(fast) {
			t.Errorf("at %d a node with a fast clock sweeps the first bucket", now)
		}
		if !(Record{ExpiresAt: Millis(first-1) * width}).Lapsed(fast + 1) {
			t.Errorf("at %d a bucket is left out of which nobody sweeps", now)
		}
	}
}
