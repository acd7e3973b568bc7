package cluster

import (
	"testing"
	"time"

	"rescind"
	"rescind/internal/store"
)

// TestDiskDropsLater: the disk drops hours of running after memory, and what memory
// forgot by a clock that has been set right meanwhile it does not drop at all.
func TestDiskDropsLater(t *testing.T) {
	start := rescind.Millis(1_790_000_000_000)
	run := func(c *diskClock, at rescind.Millis, d time.Duration) (end, dropped rescind.Millis) {
		for end = at.Add(d); at < end; at = at.Add(dropEvery) {
			dropped = max(dropped, c.turn(at, dropEvery))
		}
		return end, dropped
	}
	var c diskClock
	at, dropped := run(&c, start, diskLag+time.Hour)
	if dropped != 0 {
		t.Errorf("dropped up to %v within the first hours", dropped.Time())
	}
	at, dropped = run(&c, at, diskLag)
	if lag := time.Duration(at-dropped) * time.Millisecond; dropped == 0 || lag < diskLag || lag > 2*diskLag {
		t.Errorf("the disk is %v behind memory", lag)
	}
	for range 5 { // a start goes on where the last life ended
		c = diskClock{store.Clock{Confirmed: c.Confirmed, Waiting: c.Waiting, Waited: c.Waited}}
		at, _ = run(&c, at, time.Hour)
	}
	before := at
	if _, dropped = run(&c, at.Add(24*time.Hour), 7*time.Hour); dropped > before { // a day ahead, and believed
		t.Errorf("a day ahead for seven hours, and dropped up to %v ahead", time.Duration(dropped-before)*time.Millisecond)
	}
	if _, dropped = run(&c, before.Add(7*time.Hour), 2*diskLag); dropped > before.Add(7*time.Hour+2*diskLag) {
		t.Error("after the clock was set right the disk drops by what it had shown before")
	}
	if c.turn(at, 72*time.Hour); c.Waited > diskLag {
		t.Error("a machine that was suspended for days counts them as running")
	}
}
