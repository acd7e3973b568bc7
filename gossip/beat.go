package gossip

import (
	"maps"
	"time"
)

// beat sends a beat to one member or, with to 0, to all.
func (c *Core) beat(now time.Duration, to Origin) {
	b := c.newBeat(now)
	if to == 0 && c.named == nil {
		c.tell(now, b)
	} else {
		b.Views = c.views(now) // a newcomer need not wait for its turn
	}
	c.sendTo(to, b)
}

// newBeat returns the next heartbeat, without views.
func (c *Core) newBeat(now time.Duration) *Beat {
	c.beats++
	c.sentAt[c.beats%uint64(len(c.sentAt))] = now
	b := &Beat{
		N:        c.beats,
		Name:     c.cfg.Name,
		Head:     c.own.head,
		Synced:   c.Synced(),
		Previous: c.previous,
		Clock:    c.wallAt(now),
	}
	if c.named != nil {
		b.Roll = c.named.roll()
	}
	return b
}

// views states what this node holds of every stream, its own first.
func (c *Core) views(now time.Duration) []View {
	if c.named == nil {
		return append([]View{c.ownView()}, c.streams(now)...)
	}
	views := append(make([]View, 0, len(c.list)+1), c.ownView())
	for _, p := range c.list {
		v := c.view(now, p)
		if v.Echo > 0 && c.named.noting(p) {
			v.Echo = 0
		}
		if !v.empty() { // it claims something
			views = append(views, v)
		}
	}
	return views
}

// empty reports whether v neither says that anything is held nor echoes anything.
func (v View) empty() bool { return v.At.Seq == 0 && !v.Based && v.Past == Position{} && v.Echo == 0 }

// tell gives a heartbeat to all its views: of this node's own stream and of those with
// origins after one and up to another, of all if both are 0. In a large cluster they take
// turns, so that a heartbeat fits a datagram and what a node sends grows with the
// number of members and not with its square. Streams that have ended are left out
// where there is not room for all, but for those that somebody takes to go on.
func (c *Core) tell(now time.Duration, b *Beat) {
	if b.Living = c.leavesOut(); !b.Living {
		b.After, b.UpTo, b.Views = turnOf(c.streams(now), c.told, c.cfg.BeatViews)
		c.told = b.UpTo
		b.Views = append(append([]View{c.ownView()}, b.Views...), c.retold(now, max(1, c.cfg.BeatViews/4))...)
		return
	}
	living := make([]View, 0, len(c.list))
	for _, p := range c.list {
		if !c.ended(p) && c.tells(now, p) {
			living = append(living, c.view(now, p))
		}
	}
	over := c.retold(now, max(1, c.cfg.BeatViews/4))
	b.After, b.UpTo, b.Views = turnOf(living, c.told, max(1, c.cfg.BeatViews-len(over)))
	c.told = b.UpTo
	b.Views = append(append([]View{c.ownView()}, b.Views...), over...)
}

func (c *Core) ownView() View {
	return View{Origin: c.cfg.Origin, At: Position{c.cfg.Epoch, c.durable}, Based: true}
}

// view is what is said of p.
func (c *Core) view(now time.Duration, p *peer) View {
	v := p.view(now)
	v.Counts = !p.left && c.listed(now, p) && c.counts(now, p)
	return v
}

func (p *peer) view(now time.Duration) View {
	// That it left is told only together with all that it had: whoever hears it
	// from us no longer counts it.
	left := p.left && p.based && p.durable >= p.head
	at, past, based := p.durableView()
	v := View{Origin: p.origin, At: at, Past: past, Based: based, Left: left, Echo: p.beatN, Age: max(0, now-p.heardAt)}
	if p.fromDisk {
		v.Age = ageUnknown
	}
	if p.returns() {
		v.Echo = 0
	}
	return v
}

// stepBeat takes p's beat in its current epoch. By its date it counts as of at.
func (c *Core) stepBeat(now, at time.Duration, p *peer, b *Beat) {
	if b.N <= p.beatN {
		return // late or replayed
	}
	sent, echoed := c.echoed(b)
	if echoed {
		at, c.met = max(at, sent), true
	}
	c.met = c.met || at == now
	if now-p.heardAt >= aliveWithin && p.beatN > 0 && at == now {
		c.owesAll(p)
	}
	p.beatN, p.name, p.synced = b.N, b.Name, b.Synced
	p.heardAt, p.fromDisk = max(p.heardAt, at), p.fromDisk && at < p.heardAt
	p.stated = max(p.stated, b.Head)
	p.settleHead()
	if p.known && p.previous.Before(b.Previous) && p.past.Before(b.Previous) {
		p.based, p.owes = false, p.epoch // it has got back more of its past than it had when we settled
	}
	p.previous, p.known = b.Previous, true
	p.settle()
	c.forgetViews(p, b)
	crowded := false
	for _, v := range b.Views { // first, since who echoes us may say who counts
		if v.Origin == c.cfg.Origin {
			c.stepEcho(now, p, v, b)
		}
	}
	for _, v := range b.Views {
		if v.Origin == c.cfg.Origin {
			continue
		}
		if v.Origin == p.origin && v.At.Epoch != p.epoch {
			continue // it contradicts itself; taken at its word, this beat would be of an epoch that is over
		}
		over := v.Left && c.holds(v) // nothing is to be got of it, nor waited for
		if (c.peers[v.Origin] != nil || !c.ignores(now, v.aged(now-at))) && !over {
			crowded = crowded || !p.holdView(v)
		}
		c.hearsay(now, p, v.aged(now-at))
		if at == now {
			c.contradict(v)
		}
	}
	p.countViews(b)
	if crowded {
		c.crowded.Hidden++
		p.toldAll = false // it has said more than is remembered, so it can't vouch for us
	}
	if echoed || at == now {
		c.relay(now, p, b)
	}
	switch {
	case c.named != nil:
		c.hear(now, p, b, sent, echoed)
	case b.Roll != nil:
		c.others, _ = b.Roll.lists()
	}
}

// forgetViews makes room for those of a beat. One that leaves out streams that have ended
// takes nothing back of what was said of them, and what is held here is nothing to be
// got or waited for.
func (c *Core) forgetViews(p *peer, b *Beat) {
	width := uint64(b.UpTo - b.After)
	if width == 0 && !b.Living || p.views == nil {
		p.views = map[Origin]View{}
		return
	}
	maps.DeleteFunc(p.views, func(o Origin, v View) bool {
		return (width == 0 || uint64(o-b.After-1) < width) && (!b.Living || c.holds(v))
	})
}

// holdView notes what p says of a stream, if there is room.
func (p *peer) holdView(v View) bool {
	if _, known := p.views[v.Origin]; !known && len(p.views) >= maxViews {
		return false
	}
	p.views[v.Origin] = v
	return true
}

// countViews notes how much of the circle of origins p has spoken of since it
// heard us, and so with our start before. Until it is the whole, p may hold
// streams that we have not been told of.
func (p *peer) countViews(b *Beat) {
	if b.Living {
		return // it tells a newcomer of all apart
	}
	width := uint64(b.UpTo - b.After) // 0 stands for the whole circle
	if !p.echoes || b.After != p.toldUpTo {
		p.told = 0
	}
	if p.echoes {
		p.toldAll = p.toldAll || width == 0 || p.told+width < p.told
		p.told += width
	}
	p.toldUpTo = b.UpTo
}

// stepEcho takes what p says of this node: how many of our records it has
// committed, and which of our beats it had received when it sent its own.
func (c *Core) stepEcho(now time.Duration, p *peer, v View, b *Beat) {
	if v.Past.Epoch < c.cfg.Epoch {
		p.ofUs = v.Past
	}
	if v.Based && v.At.Epoch < c.cfg.Epoch && p.ofUs.Before(v.At) {
		p.ofUs = v.At
	}
	if v.At.Epoch != c.cfg.Epoch || v.Echo == 0 || v.Echo > c.beats || v.Echo+uint64(len(c.sentAt)) <= c.beats {
		return
	}
	p.echoes, c.wasEchoed = true, c.wasEchoed || v.Counts
	if !p.admitted {
		p.admitted, p.greet = true, true // so that it knows at once that it counts
	}
	if v.Based {
		c.stepAck(p, v.At, b.Roll)
	}
	e := echo{head: b.Head, sent: c.sentAt[v.Echo%uint64(len(c.sentAt))]}
	c.measureSkew(now, p, e.sent, b.Clock)
	if len(p.pending) == maxPending {
		p.pending = p.pending[:maxPending-1] // keep the oldest, or a busy stream would never prove anything
	}
	p.pending = append(p.pending, e)
}

// hearsay takes what a member says of a third one, so that a gap is noticed even if
// its origin has fallen silent for good. See hearsay.go for what it can't do.
func (c *Core) hearsay(now time.Duration, from *peer, v View) {
	if v.At.Epoch == 0 {
		return
	}
	p := c.peers[v.Origin]
	if p == nil {
		if c.isOver(v.Origin, v.At) || c.ignores(now, v) {
			return
		}
		if from.introduced >= maxIntroduced {
			c.refused.Newcomers++
			return
		}
		if p = c.peer(v.Origin, now, v.Left); p == nil {
			c.crowded.Hidden++
			return
		}
		p.by = from.origin
		from.introduced++
		p.heardAt, p.fromDisk = now-v.Age, v.Age == ageUnknown
		if p.fromDisk {
			p.heardAt = now
		}
	}
	switch {
	case v.Age == ageUnknown:
	case p.fromDisk:
		p.heardAt, p.fromDisk = now-v.Age, false
	default:
		p.heardAt = max(p.heardAt, now-v.Age)
	}
	if !p.spoken {
		c.enter(now, p, v.At.Epoch)
	}
	if v.At.Epoch != p.epoch {
		return
	}
	p.left = p.left || v.Left && !c.counts(now, p)
	if v.At.Seq > p.reach() {
		c.refused.Numbers++
	}
	p.head = max(p.head, min(v.At.Seq, p.reach()))
	if v.Counts {
		p.vouch(from)
	}
}

// settleHead takes p's own word for how long its stream is; only records that are
// here say that it is longer.
func (p *peer) settleHead() {
	p.head = max(p.stated, p.received)
	if n := len(p.ahead); n > 0 {
		p.head = max(p.head, p.ahead[n-1].last())
	}
}

// ignores reports whether v tells of a member that is forgotten and that there
// is no room to remember.
func (c *Core) ignores(now time.Duration, v View) bool {
	if v.Age == ageUnknown || v.Age <= c.cfg.ForgetAfter {
		return false
	}
	silent := 0
	for _, p := range c.list {
		if !c.listed(now, p) {
			silent++
		}
	}
	return silent >= maxForgotten
}

// progress draws the conclusions from frontiers that have moved.
func (c *Core) progress(now time.Duration) {
	for _, p := range c.list {
		if p.based {
			p.prove()
		}
	}
	if c.named != nil {
		c.progressNamed(now)
		_, off := c.ClockOff(now)
		c.synced = c.synced || c.named.whole() && c.named.bounded && !off && !c.comparing.verify
	} else {
		c.synced = c.synced || c.others == nil && c.caughtUp(now)
	}
	c.complete = c.complete || c.synced
}

// caughtUp reports whether this node holds all that a member says it holds
// that has itself caught up; or, where no member has, as after a cold start,
// all that any member says that is being heard.
func (c *Core) caughtUp(now time.Duration) bool {
	if _, off := c.ClockOff(now); off || c.comparing.verify {
		return false
	}
	heard, all := 0, true
	for _, p := range c.list {
		if p.left || !p.alive(now) || p.epoch == 0 {
			continue
		}
		if p.beatN == 0 && now-c.started >= knownByOthers {
			continue // only others hear it: it can neither vouch for us nor be waited for
		}
		holds := c.holdsAllOf(p)
		if holds && p.synced && !p.lacksBase() {
			return true
		}
		heard++
		all = all && holds
	}
	return all && heard > 0 && now-c.started >= coldStart
}

// lacksBase reports whether p lacks what a member that is there held before its
// epoch. It may have had that and have found since that it was too little; what it
// says that it holds is then less than what it had.
func (p *peer) lacksBase() bool {
	for _, v := range p.views {
		if v.At.Epoch > 0 && !v.Based && !v.Left && v.Age < aliveWithin {
			return true
		}
	}
	return false
}

// prove settles the echoes whose head the frontier has reached.
func (p *peer) prove() {
	kept := p.pending[:0]
	for _, e := range p.pending {
		if p.received < e.head {
			kept = append(kept, e)
			continue
		}
		p.asOf = max(p.asOf, e.sent)
		p.proven = true
	}
	p.pending = kept
}

// holdsAllOf reports whether p has answered a beat of this epoch, has told what
// it holds of every stream, and all that is held here.
func (c *Core) holdsAllOf(p *peer) bool {
	if !p.proven || !p.toldAll || c.previous.Before(p.ofUs) {
		return false
	}
	for _, v := range p.views {
		if !c.holds(v) {
			return false
		}
	}
	return true
}

// holds reports whether everything that v says of another's streams is held
// here.
func (c *Core) holds(v View) bool {
	p := c.peers[v.Origin]
	kept := c.aside[v.Origin].at
	switch {
	case v.At.Epoch == 0 || v.At.Seq == 0 && !v.Based && v.Past == Position{}:
		return true // it claims nothing
	case p == nil && kept.Epoch > 0:
		return !kept.Before(v.At) || !v.Based && v.At.Seq == 0 && !kept.Before(v.Past)
	case p == nil || p.epoch < v.At.Epoch:
		return false
	case p.epoch == v.At.Epoch:
		return p.received >= v.At.Seq && (p.based || !v.Based && !p.past.Before(v.Past))
	case v.Based:
		return p.based || !p.past.Before(v.At)
	default:
		return p.based || !p.past.Before(v.Past)
	}
}
