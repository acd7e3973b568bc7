package gossip

import (
	"time"

	"rescind"
)

// pull is a transfer of the state that is under way. A cursor means the same to
// all, so any donor can go on where another stopped. views holds the lowest
// frontier that any part was scanned behind.
type pull struct {
	donor    Origin
	ofUs     Position // what the donor held of our past at the start; zero once another took over
	cursor   rescind.Digest
	views    map[Origin]View
	deadline time.Duration
	tries    int  // how often this part has been asked for
	asked    int  // how many records the last request asked for
	paused   bool // until the disk has caught up
	tried    map[Origin]bool
}

// pullState begins a transfer where one is needed and a donor is known, and
// moves one that is stuck to another donor.
func (c *Core) pullState(now time.Duration) {
	if c.others != nil {
		return // the members do not hear this node
	}
	if c.pull != nil && c.pull.paused {
		if !c.Full() {
			c.pull.paused = false
			c.askState(now)
		}
		return
	}
	if c.pull != nil && now >= c.pull.deadline {
		c.changeDonor(now)
		return
	}
	if c.pull != nil {
		return
	}
	if donor := c.donor(now, nil); donor != 0 {
		c.transfer(now, donor)
	}
}

// transfer begins a transfer of the state, unless one is under way.
func (c *Core) transfer(now time.Duration, donor Origin) {
	if p := c.peers[donor]; p != nil && c.pull == nil {
		c.pull = &pull{donor: donor, ofUs: p.ofUs, tried: map[Origin]bool{}}
		c.askState(now)
	}
}

// stepStateRequest orders a scan for p. What finds no room is asked for again,
// and what comes by another carrier again is not answered twice.
func (c *Core) stepStateRequest(now time.Duration, p *peer, b *StateRequest) {
	again := p.scannedAt != 0 && p.scanned == b.Cursor && now-p.scannedAt < retryFirst
	if again || len(c.scans) == maxScans {
		return
	}
	p.scanned, p.scannedAt = b.Cursor, now
	p.portion.heed(b.Most)
	c.scans = append(c.scans, Scan{Cursor: b.Cursor, Most: p.portion.answer(statePortion), to: p.origin, views: c.views(now)})
}

// changeDonor goes on with another donor, or once all have been tried, with any
// but the last. If there is none left, the transfer ends; it begins anew when
// there is.
func (c *Core) changeDonor(now time.Duration) {
	last := c.pull.donor
	if p := c.peers[last]; p != nil {
		p.portion.shrink(c.pull.asked)
	}
	c.pull.tried[last] = true
	donor := c.donor(now, c.pull.tried)
	if donor == 0 {
		clear(c.pull.tried)
		if donor = c.donor(now, map[Origin]bool{last: true}); donor == 0 {
			donor = c.donor(now, nil)
		}
	}
	if donor == 0 {
		c.pull = nil
		return
	}
	if donor != last {
		c.pull.donor, c.pull.ofUs = donor, Position{}
	}
	c.askState(now)
}

func (c *Core) askState(now time.Duration) {
	c.pull.asked = statePortion
	if p := c.peers[c.pull.donor]; p != nil {
		c.pull.asked = p.portion.size(statePortion)
	}
	// Each try asks for less, so that it need not be given much longer. An answer
	// to an earlier one is as welcome.
	c.pull.deadline = now + stateRetry<<min(c.pull.tries/4, 2)
	c.pull.tries++
	c.sendTo(c.pull.donor, &StateRequest{Cursor: c.pull.cursor, Most: uint64(c.pull.asked)})
}

// donor returns a member whose state would help, preferring the one that would
// help with the most streams.
func (c *Core) donor(now time.Duration, except map[Origin]bool) Origin {
	need := c.forgotten()
	var best Origin
	most := 0
	for _, d := range c.list {
		if !d.alive(now) || d.views == nil || except[d.origin] {
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
		if n > most {
			best, most = d.origin, n
		}
	}
	return best
}

// wouldHelp reports whether d's state would bring p's frontier forward.
func (d *peer) wouldHelp(p *peer) bool {
	v, ok := d.views[p.origin]
	if d == p {
		v, ok = View{At: Position{p.epoch, p.head}, Based: true}, true // nobody knows more of its own streams
	}
	switch {
	case !ok:
		return false
	case v.At.Epoch == p.epoch && (v.Based && !p.based || v.At.Seq > p.received || !p.based && p.past.Before(v.Past)):
		return true
	case v.At.Epoch < p.epoch && v.Based:
		return !p.based && p.past.Before(v.At)
	default:
		return !p.based && p.past.Before(v.Past)
	}
}

// stepStateReply takes one part of the state.
func (c *Core) stepStateReply(now time.Duration, p *peer, r *StateReply) {
	if c.pull == nil || p.origin != c.pull.donor || r.Cursor != c.pull.cursor || c.Full() {
		return // of no use, or asked for again
	}
	if p.logged { // what it claims to hold is in the log, by it or by whoever wrote it
		c.apply = append(c.apply, r.Records...)
	} else {
		c.take(r.Records)
	}
	c.pull.lower(r.Views)
	if !r.Done {
		if !c.pull.cursor.Less(r.Next) {
			return // no progress: let the time-out choose another donor
		}
		c.pull.cursor, c.pull.tries = r.Next, 0
		p.portion.grow(c.pull.asked)
		clear(c.pull.tried)
		if c.pull.paused = c.Full(); !c.pull.paused {
			c.askState(now)
		}
		return
	}
	if c.previous.Before(c.pull.ofUs) {
		c.previous = c.pull.ofUs
	}
	for _, q := range c.list {
		if v, ok := c.pull.views[q.origin]; ok {
			c.learn(now, q, v)
		}
	}
	c.pull = nil
	c.distrust(now)
}

// lower takes the minimum of the frontiers noted so far and those of another
// part; a stream that either does not know drops out.
func (u *pull) lower(views []View) {
	next := make(map[Origin]View, len(views))
	for _, v := range views {
		if u.views != nil {
			before, ok := u.views[v.Origin]
			if !ok {
				continue
			}
			v = lesser(before, v)
		}
		next[v.Origin] = v
	}
	u.views = next
}

// lesser returns what both views vouch for.
func lesser(a, b View) View {
	if b.At.Before(a.At) {
		a, b = b, a
	}
	switch {
	case a.At.Epoch == b.At.Epoch:
		a.Based = a.Based && b.Based
		a.Past = earlier(a.Past, b.Past)
	case !b.Based:
		// All that b vouches for of a's epoch is its past.
		held := a.Past
		if a.Based {
			held = a.At
		}
		held = earlier(held, b.Past)
		a.At, a.Past, a.Based = held, held, true
	}
	return a
}

func earlier(p, q Position) Position {
	if q.Before(p) {
		return q
	}
	return p
}

// Scanned answers s with the records found and where to go on.
func (c *Core) Scanned(s Scan, records []rescind.Record, next rescind.Digest, done bool) {
	records = records[:min(len(records), maxRecords)] // more would need digests that nobody's hash makes; a comparison brings the rest
	c.answer(s.to, &StateReply{Cursor: s.Cursor, Next: next, Done: done, Views: s.views, Records: records}, len(records)+len(s.views))
}
