package gossip

import (
	"testing"
	"time"

	"rescind"
)

// TestLapse: a lead is believed after an even hour of it, whatever came before; a
// clock that goes back is believed at once.
func TestLapse(t *testing.T) {
	const day = 24 * time.Hour
	wall := func(ahead time.Duration) rescind.Millis { return rescind.Millis(1_790_000_000_000).Add(ahead) }
	type reading struct {
		at, ahead time.Duration // on the steady clock; of the wall clock, ahead of the steady one
	}
	for name, c := range map[string]struct {
		readings []reading
		want     time.Duration // by how much lapsing is ahead of the steady clock at the end
	}{
		"even":                               {[]reading{{time.Minute, 0}, {2 * time.Hour, 0}}, 0},
		"a day ahead for a minute":           {[]reading{{time.Minute, day}}, 0},
		"a day ahead for nearly an hour":     {[]reading{{time.Minute, day}, {time.Hour, day}}, 0},
		"a day ahead for an hour":            {[]reading{{time.Minute, day}, {61 * time.Minute, day}}, day},
		"and set right":                      {[]reading{{time.Minute, day}, {61 * time.Minute, day}, {62 * time.Minute, 0}}, 0},
		"and ahead again":                    {[]reading{{time.Minute, day}, {61 * time.Minute, day}, {62 * time.Minute, 0}, {63 * time.Minute, day}, {122 * time.Minute, day}}, 0},
		"set right in between":               {[]reading{{time.Minute, day}, {40 * time.Minute, 0}, {41 * time.Minute, day}, {100 * time.Minute, day}}, 0},
		"ever further ahead":                 {[]reading{{time.Minute, day}, {40 * time.Minute, 2 * day}, {80 * time.Minute, 3 * day}, {120 * time.Minute, 4 * day}}, 0},
		"half a minute ahead for a minute":   {[]reading{{time.Minute, 20 * time.Second}}, 0},
		"creeping ahead, but within an hour": {[]reading{{time.Minute, time.Second}, {30 * time.Minute, 2 * time.Second}, {61 * time.Minute, 3 * time.Second}}, time.Second},
		"a day back":                         {[]reading{{time.Minute, -day}}, -day},
		"back and set right":                 {[]reading{{time.Minute, -day}, {2 * time.Minute, 0}}, -day},
		"back and right for an hour":         {[]reading{{time.Minute, -day}, {2 * time.Minute, 0}, {62 * time.Minute, 0}}, 0},
	} {
		core := New(Config{Origin: 1, Epoch: 1, Confirmed: wall(0)}, 0, wall(0))
		for _, r := range c.readings {
			core.Tick(r.at, wall(r.at+r.ahead))
		}
		last := c.readings[len(c.readings)-1].at
		if at, _ := core.Lapsing(last); at != wall(last+c.want) {
			t.Errorf("%s: lapsing is %v ahead, want %v", name, time.Duration(at-wall(last))*time.Millisecond, c.want)
		}
	}
}

// TestLapseAfterAStart: what was believed in the life before holds until the clock
// has gone for an hour, however long the node was off; a new folder forgets
// nothing for that long.
func TestLapseAfterAStart(t *testing.T) {
	now := rescind.Millis(1_790_000_000_000)
	for name, confirmed := range map[string]rescind.Millis{"off for three days": now.Add(-72 * time.Hour), "a new folder": 0} {
		core := New(Config{Origin: 1, Epoch: 1, Confirmed: confirmed}, 0, now)
		core.Tick(59*time.Minute, now.Add(59*time.Minute))
		if at, _ := core.Lapsing(59 * time.Minute); at != confirmed.Add(59*time.Minute) {
			t.Errorf("%s: within the hour records lapse at %v", name, at.Time())
		}
		core.Tick(time.Hour, now.Add(time.Hour))
		if at, _ := core.Lapsing(time.Hour); at != now.Add(time.Hour) {
			t.Errorf("%s: after the hour records lapse at %v", name, at.Time())
		}
	}
	core := New(Config{Origin: 1, Epoch: 1, Confirmed: now.Add(72 * time.Hour)}, 0, now) // believed wrongly, and set right while off
	if at, _ := core.Lapsing(0); at != now {
		t.Errorf("a folder whose clock was ahead: records lapse at %v", at.Time())
	}
}
