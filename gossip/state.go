package gossip

import (
	"slices"
	"time"

	"rescind"
)

// pull is a transfer of the state that is under way. The cursor is a digest,
// so any donor can go on where another stopped. views holds the lowest
// frontier that any part was scanned behind.
type pull struct {
	donor    Origin
	ofUs     Position // what the donor held of our past at the start; zero once another took over
	cursor   rescind.Digest
	views    map[Origin]Position
	deadline time.Duration
	paused   bool // until the disk has caught up
	tried    map[Origin]bool
}

// pullState begins a transfer where one is needed and a donor is known, and
// moves one that is stuck to another donor.
func (c *Core) pullState(now time.Duration) {
	if c.pull != nil && c.pull.paused {
		if len(c.uncommitted) < maxUncommitted {
			c.pull.paused = false
			c.askState(now)
		}
		return
	}
	if c.pull != nil && now >= c.pull.deadline {
		c.pull.tried[c.pull.donor] = true
		if donor := c.donor(now, c.pull.tried); donor != 0 {
			c.pull.donor, c.pull.ofUs = donor, Position{}
		}
		c.askState(now)
		return
	}
	if c.pull != nil {
		return
	}
	if donor := c.donor(now, nil); donor != 0 {
		c.pull = &pull{donor: donor, ofUs: c.peers[donor].ofUs, tried: map[Origin]bool{}}
		c.askState(now)
	}
}

func (c *Core) askState(now time.Duration) {
	c.pull.deadline = now + stateRetry
	c.sendTo(c.pull.donor, &StateRequest{Cursor: c.pull.cursor})
}

// donor returns a member whose state would help, preferring the one that would
// help with the most streams.
func (c *Core) donor(now time.Duration, except map[Origin]bool) Origin {
	need := c.forgotten()
	var best Origin
	most := 0
	for o, d := range c.peers {
		if !d.alive(now) || d.views == nil || except[o] {
			continue
		}
		n := 0
		for _, p := range need {
			if d.wouldHelp(p) {
				n++
			}
		}
		if c.previous.Before(d.ofUs) {
			n++ // it knows more of our past than our disk: the folder was rolled back, or a crash lost what was not synced
		}
		if n > most || n == most && n > 0 && o < best {
			best, most = o, n
		}
	}
	return best
}

// wouldHelp reports whether d's state would bring p's frontier forward.
func (d *peer) wouldHelp(p *peer) bool {
	at, ok := d.views[p.origin]
	switch {
	case !ok:
		return false
	case at.Epoch == p.epoch:
		return !p.based || at.Seq > p.received
	default:
		return !p.based && p.past.Before(at)
	}
}

// stepStateReply takes one part of the state.
func (c *Core) stepStateReply(now time.Duration, p *peer, r *StateReply) {
	c.take(r.Records)
	if c.pull == nil || p.origin != c.pull.donor || r.Cursor != c.pull.cursor {
		return
	}
	c.pull.lower(r.Views)
	if !r.Done {
		if !c.pull.cursor.Less(r.Next) {
			return // no progress: let the time-out choose another donor
		}
		c.pull.cursor = r.Next
		clear(c.pull.tried)
		if c.pull.paused = len(c.uncommitted) >= maxUncommitted; !c.pull.paused {
			c.askState(now)
		}
		return
	}
	if c.previous.Before(c.pull.ofUs) {
		c.previous = c.pull.ofUs
	}
	for o, at := range c.pull.views {
		if q := c.peers[o]; q != nil {
			c.learn(now, q, at)
		}
	}
	c.pull = nil
}

// lower takes the minimum of the frontiers noted so far and those of another
// part; a stream that either does not know drops out.
func (u *pull) lower(views []View) {
	next := make(map[Origin]Position, len(views))
	for _, v := range views {
		if !v.Based {
			continue
		}
		at := v.At
		if u.views != nil {
			before, ok := u.views[v.Origin]
			if !ok {
				continue
			}
			if before.Before(at) {
				at = before
			}
		}
		next[v.Origin] = at
	}
	u.views = next
}

// Scanned answers s with the records found and where to go on.
func (c *Core) Scanned(s Scan, records []rescind.Record, next rescind.Digest, done bool) {
	if len(records) > maxRecords {
		next, done = records[maxRecords].Digest, false
		records = slices.Clip(records[:maxRecords])
	}
	c.sendTo(s.to, &StateReply{Cursor: s.Cursor, Next: next, Done: done, Views: s.views, Records: records})
}
