package gossip

import (
	"testing"
	"time"

	"rescind"
)

// TestClocksThatJumpAlike: this node's clock and one of two members' jump by a day.
// The member that jumped too can't confirm ours, although the other has not been
// heard since: what was known of that one's clock moves with the jump.
func TestClocksThatJumpAlike(t *testing.T) {
	const day = 24 * time.Hour
	start := rescind.Millis(1_790_000_000_000)
	c := New(Config{Origin: 9, Epoch: 20}, 0, start)
	beats := uint64(0)
	hear := func(now time.Duration, from Origin, ahead time.Duration) {
		beats++
		c.Step(now, Message{From: from, Epoch: 5, Body: &Beat{
			N: beats, Clock: start.Add(now + ahead), Synced: true,
			Views: []View{{Origin: 9, At: Position{20, 0}, Based: true, Echo: c.beats}},
		}})
		c.Ready(now)
	}
	tick := func(now, ahead time.Duration) { c.Tick(now, start.Add(now+ahead)); c.Ready(now) }

	now := 10 * time.Millisecond
	tick(now, 0)
	hear(now+time.Millisecond, 1, 0)
	hear(now+time.Millisecond, 2, 0)
	if _, off := c.ClockOff(now + time.Millisecond); off {
		t.Fatal("clocks that agree count as off")
	}
	before, _ := c.Lapsing(now + time.Millisecond)

	now += BeatEvery
	tick(now, day)
	hear(now+time.Millisecond, 1, day)
	at, trusted := c.Lapsing(now + time.Millisecond)
	if trusted && at > before.Add(time.Second) {
		t.Errorf("records lapse by %v later: the member that jumped as well has confirmed the clock", time.Duration(at-before)*time.Millisecond)
	}

	now += BeatEvery
	tick(now, 0)
	hear(now+time.Millisecond, 2, 0)
	if _, off := c.ClockOff(now + time.Millisecond); off {
		t.Error("a clock that was set right goes on counting as off")
	}
}
