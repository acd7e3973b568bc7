package gossip

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"rescind"
)

// A member that left has ended once all that it had is stored here: nothing will come
// of it any more, unless it is started again. It takes nobody's place from then on, the
// heartbeats to all leave its stream out, and the bound of those who stay does not
// depend on it. For a while it is still a peer, so that others can be repaired from
// its log; after that only its entry of the version vector and its name are kept.
//
// Who needs to know of streams that have ended is told apart from the others: a
// newcomer, a member that comes back from a silence, and one that says of such a
// stream that it has not ended.
const (
	lingerFor   = 30 * time.Second // as a peer
	maxLinger   = 64               // of them
	maxDeparted = 1000             // members that left and of which newcomers are told, beside those no longer listed
	maxLeft     = 2 * maxDeparted  // peers that left and of which something is missing here
	maxShown    = 64               // of those that ended, which Members lists
	maxGuided   = 8                // members that are told of all streams in one interval of heartbeats
	maxRetold   = 64               // streams that a member takes to go on, and that have ended
	tidyEvery   = 10 * time.Second
)

// aside is an entry of the version vector whose member is not among the peers: it left
// and has ended, or it has been silent for long. It does not go back (W2).
type aside struct {
	at      Position
	heardAt time.Duration
	name    string
	left    bool     // it left, and at is the end
	leave   *Message // its word that it left; nil: not known in this life
}

// departed is a member that left and has ended, and of which newcomers are told.
type departed struct {
	origin Origin
	aside
	shown bool
}

func (d departed) view(now time.Duration) View {
	return View{Origin: d.origin, At: d.at, Based: true, Left: true, Age: min(max(0, now-d.heardAt), ageUnknown-1)}
}

// maxAside bounds the entries that are kept aside, some 100 bytes each. Beyond it, and
// after rememberFor, an entry is dropped, on the disk as well.
const maxAside = 1 << 16

// ended reports whether p has left and all that it had is stored here.
func (c *Core) ended(p *peer) bool {
	return c.named == nil && p.left && p.based && p.received >= p.head &&
		(p.logged || !p.committed.Before(Position{p.epoch, p.head}))
}

// release makes entries of members that have ended.
func (c *Core) release(now time.Duration) {
	var lingering []*peer
	for _, p := range c.list {
		if !c.ended(p) {
			p.endedAt = 0
			continue
		}
		if p.endedAt == 0 {
			p.endedAt = now
		}
		lingering = append(lingering, p)
	}
	slices.SortStableFunc(lingering, func(p, q *peer) int { return cmp.Compare(q.endedAt, p.endedAt) })
	for i, p := range lingering {
		switch {
		case p.logged: // the log tells newcomers of it, and what is kept here is only that it left
			if i >= maxDeparted {
				c.dismiss(now, p)
			}
		case p.noted.Fate == Left && (i >= maxLinger || now-p.endedAt >= lingerFor):
			c.dismiss(now, p)
		}
	}
	c.tidy(now)
}

// dismiss takes p from the peers.
func (c *Core) dismiss(now time.Duration, p *peer) {
	delete(c.peers, p.origin)
	c.list = slices.DeleteFunc(c.list, func(q *peer) bool { return q == p })
	c.setAside(now, p)
}

// setAside keeps the entry of a member that is no longer among peers.
func (c *Core) setAside(now time.Duration, p *peer) {
	at, left := later(p.entry(), p.committed), c.ended(p)
	covers := left || at.Seq > 0 || p.past.Epoch > 0 || p.previous.Epoch > 0 || p.loaded
	if p.logged || !covers || now-p.heardAt > max(rememberFor, c.cfg.ForgetAfter) {
		c.forget = append(c.forget, p.origin)
		return
	}
	if len(c.aside) >= maxAside {
		c.crowded.Aside++
		c.forget = append(c.forget, p.origin)
		return
	}
	c.keep(p.origin, aside{at: p.committed, heardAt: p.heardAt, name: p.name, left: left, leave: p.leave})
}

func (c *Core) keep(o Origin, a aside) {
	c.aside[o] = a
	if a.left {
		at, _ := c.departedAt(o)
		c.departed = slices.Insert(c.departed, at, departed{origin: o, aside: a, shown: true})
	}
}

func (c *Core) departedAt(o Origin) (int, bool) {
	return slices.BinarySearchFunc(c.departed, o, func(d departed, o Origin) int { return cmp.Compare(d.origin, o) })
}

// recall gives a member that is among peers again its entry back.
func (c *Core) recall(p *peer) {
	kept, ok := c.aside[p.origin]
	if !ok {
		return
	}
	delete(c.aside, p.origin)
	if at, ok := c.departedAt(p.origin); ok {
		c.departed = slices.Delete(c.departed, at, at+1)
	}
	p.epoch, p.received, p.head, p.durable, p.based = kept.at.Epoch, kept.at.Seq, kept.at.Seq, kept.at.Seq, kept.at.Epoch > 0
	p.committed, p.acknowledged = kept.at, kept.at
	p.name, p.left, p.loaded, p.admitted, p.leave = kept.name, kept.left, true, true, kept.leave
	if kept.left {
		p.noted = Note{Name: kept.name, Fate: Left, Epoch: kept.at.Epoch}
	}
}

// isOver reports whether what is said of an origin in an epoch is of a stream that has
// ended: it comes late, or again.
func (c *Core) isOver(o Origin, at Position) bool {
	kept, ok := c.aside[o]
	return ok && kept.left && !kept.at.Before(at)
}

// tidy chooses, now and then, of whom newcomers are told: those that are still listed,
// the latest first, and of the others as many as of members that fell silent. It drops
// what is too old to matter.
func (c *Core) tidy(now time.Duration) {
	if now < c.tidyAt && len(c.departed) < maxDeparted+maxForgotten {
		return
	}
	if now < c.tidyAt-tidyEvery+time.Second && len(c.departed) < 2*maxDeparted {
		return // beyond the bound, but not every few milliseconds
	}
	c.tidyAt = now + tidyEvery
	c.departed = c.departed[:0]
	for _, o := range slices.Sorted(maps.Keys(c.aside)) {
		a := c.aside[o]
		if now-a.heardAt > max(rememberFor, c.cfg.ForgetAfter) {
			delete(c.aside, o)
			c.forget = append(c.forget, o)
		} else if a.left {
			c.departed = append(c.departed, departed{origin: o, aside: a})
		}
	}
	slices.SortStableFunc(c.departed, func(d, e departed) int { return cmp.Compare(e.heardAt, d.heardAt) })
	listed := 0
	for listed < len(c.departed) && now-c.departed[listed].heardAt <= c.cfg.ForgetAfter {
		c.departed[listed].shown = listed < maxShown
		listed++
	}
	c.crowded.Untold = max(0, listed-maxDeparted)
	told := min(listed, maxDeparted)
	older := min(len(c.departed)-listed, maxForgotten)
	c.departed = append(c.departed[:told], c.departed[listed:listed+older]...)
	slices.SortFunc(c.departed, func(d, e departed) int { return cmp.Compare(d.origin, e.origin) })
}

// hasRoom reports whether one more member, or one more that left, finds room.
func (c *Core) hasRoom(left bool) bool {
	n := 0
	for _, p := range c.list {
		if p.left == left {
			n++
		}
	}
	if left {
		return n < maxLeft
	}
	return n < c.cfg.MaxPeers
}

// guide tells a member of all streams, in turns of its own.
type guide struct {
	upTo Origin
	owed int // views that a member which has come back has still to be told
}

// owes notes that p has come back from a silence, so that a member may have come, and
// have left, of which it has not heard.
func (c *Core) owesAll(p *peer) { p.guide.owed = len(c.list) + len(c.departed) }

// guideNewcomers sends heartbeats that tell of all streams, those that have ended
// among them, to members that need them, unless the one to all does.
func (c *Core) guideNewcomers(now time.Duration) {
	if c.named != nil || !c.leavesOut() {
		return
	}
	all, told := c.streams(now), 0
	first, _ := slices.BinarySearchFunc(c.list, c.guided+1, func(p *peer, o Origin) int { return cmp.Compare(p.origin, o) })
	for i := range len(c.list) {
		p := c.list[(first+i)%len(c.list)]
		if !p.alive(now) || p.synced && p.guide.owed <= 0 {
			continue
		}
		if told++; told > maxGuided {
			return // it goes on here
		}
		b := c.newBeat(now)
		b.After, b.UpTo, b.Views = turnOf(all, p.guide.upTo, c.cfg.BeatViews)
		b.Views = append([]View{c.ownView()}, b.Views...)
		p.guide.upTo = b.UpTo
		p.guide.owed -= len(b.Views)
		c.guided = p.origin
		c.sendTo(p.origin, b)
	}
}

// leavesOut reports whether the heartbeats to all leave out streams that have ended.
func (c *Core) leavesOut() bool {
	if len(c.list)+len(c.departed) <= c.cfg.BeatViews {
		return false
	}
	return len(c.departed) > 0 || slices.ContainsFunc(c.list, c.ended)
}

// streams returns the views of all others' streams by origin, also of those that have
// ended.
func (c *Core) streams(now time.Duration) []View {
	views := make([]View, 0, len(c.list)+len(c.departed))
	for _, p := range c.tellsOf(now) {
		views = append(views, c.view(now, p))
	}
	if len(c.departed) == 0 {
		return views
	}
	for _, d := range c.departed {
		views = append(views, d.view(now))
	}
	slices.SortFunc(views, func(v, w View) int { return cmp.Compare(v.Origin, w.Origin) })
	return views
}

// turnOf returns some of the views, by origin, beginning after an origin, and which part
// of the circle of origins they are all views of. It is the whole, 0 to 0, if there is
// room for all.
func turnOf(views []View, told Origin, most int) (after, upTo Origin, turn []View) {
	if len(views) <= most {
		return 0, 0, views
	}
	first, _ := slices.BinarySearchFunc(views, told+1, func(v View, o Origin) int { return cmp.Compare(v.Origin, o) })
	for i := range most {
		turn = append(turn, views[(first+i)%len(views)])
	}
	return told, turn[most-1].Origin, turn
}

// contradict notes that a member takes a stream to go on that has ended, so that
// the next heartbeats say so.
func (c *Core) contradict(v View) {
	if v.Left || c.named != nil || len(c.retell) >= maxRetold {
		return
	}
	p := c.peers[v.Origin]
	over := p != nil && p.epoch >= v.At.Epoch && c.ended(p) && c.leavesOut()
	if c.isOver(v.Origin, v.At) {
		_, told := c.departedAt(v.Origin)
		over = !told || c.leavesOut()
	}
	if over {
		c.retell[v.Origin] = true
	}
}

// retold returns up to most views of streams that a member takes to go on.
func (c *Core) retold(now time.Duration, most int) (views []View) {
	for _, o := range slices.Sorted(maps.Keys(c.retell)) {
		if len(views) == most {
			break
		}
		delete(c.retell, o)
		if p := c.peers[o]; p != nil && c.ended(p) {
			views = append(views, p.view(now))
		} else if kept, ok := c.aside[o]; ok && kept.left {
			views = append(views, departed{origin: o, aside: kept}.view(now))
		}
	}
	return views
}

// Fate is what became of a member, as far as its folder must remember.
type Fate uint8

// The fates of members. The numbers are stored.
const (
	Present   Fate = iota // it was heard when that was last stored
	Silent                // it has not been heard for a while
	Forgotten             // for longer than members are listed
	Left                  // it left, and all that it had is stored
)

// Note is what a folder keeps of a member beside its entry of the version vector, so
// that a restart does not bring back who is gone, or without a name.
type Note struct {
	Name  string
	Fate  Fate
	Epoch uint64         // in which it was last heard
	Heard rescind.Millis // when it was last heard, by the wall clock here
}

// silentAfter is how long a member is not heard before that is stored: the disk need
// not know of each lost heartbeat.
const silentAfter = 10 * time.Second

// noteOf returns what is to be kept of p.
func (c *Core) noteOf(now time.Duration, p *peer) Note {
	n := Note{Name: p.name, Epoch: p.epoch, Heard: c.wallAt(p.heardAt)}
	switch {
	case c.ended(p):
		n.Fate = Left
	case p.left:
		n.Fate = Silent // something of it is missing
	case !c.listed(now, p):
		n.Fate = Forgotten
	case now-p.heardAt > min(silentAfter, c.cfg.ForgetAfter/2):
		n.Fate = Silent
	}
	return n
}

// changedNotes returns the notes that differ from those stored, once in a while.
func (c *Core) changedNotes(now time.Duration) map[Origin]Note {
	if now < c.notedAt+persistView && !slices.ContainsFunc(c.list, (*peer).returns) {
		return nil
	}
	c.notedAt = now
	notes := map[Origin]Note{}
	for _, p := range c.list {
		if p.logged || p.committed.Epoch == 0 {
			continue
		}
		if n := c.noteOf(now, p); n.Fate != p.noted.Fate || n.Name != p.noted.Name || n.Epoch != p.noted.Epoch {
			notes[p.origin] = n
		}
	}
	return notes
}

// returns reports whether p is back of which the folder says that it no longer counts.
// It is not echoed before that is changed: what it acknowledges once somebody has echoed it
// must count with whoever did, also after a restart.
func (p *peer) returns() bool {
	return p.noted.Fate >= Forgotten && (p.epoch > p.noted.Epoch || p.noted.Fate == Forgotten && p.beatN > 0)
}

// keptNotes notes that these are stored.
func (c *Core) keptNotes(notes map[Origin]Note) {
	for o, n := range notes {
		if p := c.peers[o]; p != nil {
			p.noted = n
		}
	}
}

// restore makes what New is told of a member of an earlier life: it goes on as far as
// it counts, it is remembered, or it is kept aside.
func (c *Core) restore(now time.Duration, o Origin, at Position, n Note) {
	// How long it has been silent is counted by the clock that is confirmed, which a clock
	// that is wrong at the start can't move. It is behind by as long as this node was
	// off, and then the member is listed for longer than need be. A clock that was wrong
	// when the note was made must not have the entry dropped.
	silence := min(max(0, sinceEpoch(c.cfg.Confirmed)-sinceEpoch(n.Heard)), rememberFor/2)
	switch n.Fate {
	case Left:
		if c.named == nil {
			c.keep(o, aside{at: at, heardAt: now - silence, name: n.Name, left: true})
			return
		}
	case Forgotten:
		silence = max(silence, c.cfg.ForgetAfter+time.Millisecond)
	}
	p := c.peer(o, now, false)
	if p == nil {
		c.aside[o] = aside{at: at, heardAt: now - silence, name: n.Name} // more than there is room for
		return
	}
	p.epoch, p.received, p.head, p.durable, p.based = at.Epoch, at.Seq, at.Seq, at.Seq, true
	p.committed, p.acknowledged, p.loaded, p.admitted, p.name, p.noted = at, at, true, true, n.Name, n
	if n.Fate == Present {
		p.fromDisk = true // how long ago that was nobody knows
	} else {
		p.heardAt = now - silence
	}
	if n.Epoch > p.epoch {
		c.enter(now, p, n.Epoch) // it had begun one of which nothing is held
		p.greet = false
	}
}

// Crowded counts what found no room.
type Crowded struct {
	Untold int    // members that left and are still listed, of which newcomers are not told
	Aside  uint64 // entries of the version vector that were dropped
	Hidden uint64 // streams that others told of and for which there was no room
}

// Crowded returns the counts since the Core was made.
func (c *Core) Crowded() Crowded { return c.crowded }
