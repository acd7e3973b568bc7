package gossip

import (
	"maps"
	"math"
	"slices"
	"time"
)

// What follows from what the members of the list have stated: what this node holds, the
// bound, what a majority has stored, and when a changed list is in force.

// progressNamed draws the conclusions from what is held by now.
func (c *Core) progressNamed(now time.Duration) {
	n := c.named
	for _, p := range c.list {
		c.proveVector(p)
	}
	if !n.want.Whole {
		c.becomeWhole(now)
	}
	if n.want.Before != nil {
		c.changeList()
	}
	if !n.moved {
		return
	}
	n.moved = false
	n.sure = n.sure || n.want.Whole && n.quorum.enough(n.quorum.set(n.self)|n.quorum.set(slices.Collect(maps.Keys(n.checkedBy))...))
	n.replaced = n.outdatedBy(c)
	n.bound, n.bounded = c.bound(now)
	n.majority, n.everywhere = c.confirmedUpTo()
}

// proveVector settles p's echoes whose views are held.
func (c *Core) proveVector(p *peer) {
	kept := p.named.echoes[:0]
	for _, e := range p.named.echoes {
		if !c.holdsAll(e.views) {
			kept = append(kept, e)
			continue
		}
		if p.named.proof == nil || p.named.proof.asOf < e.sent {
			p.named.proof, c.named.moved = &proof{e.sent, e.roll}, true
		}
	}
	clear(p.named.echoes[len(kept):])
	p.named.echoes = kept
}

func (c *Core) holdsAll(views []View) bool {
	for _, v := range views {
		if v.Origin == c.cfg.Origin {
			if c.previous.Before(v.Past) || v.Based && v.At.Epoch < c.cfg.Epoch && c.previous.Before(v.At) {
				return false // it knows more of our past than we do
			}
			continue
		}
		if !c.holds(v) {
			return false
		}
	}
	return true
}

// voiceOf returns p as a voice in a set that counts, by what it said in r.
func (c *Core) voiceOf(p *peer, r *Roll, knows func(string) Incarnation, upTo uint64) (v voice, ok bool) {
	if !r.counts() || p.name == c.named.self || p.named.list > c.named.want.List || c.named.disagrees(r) {
		return v, false // nobody counts a set in which one knows a later list, or another of that number
	}
	return voice{p.name, Incarnation{r.Number, p.origin}, knows, upTo}, true
}

func (n *named) voice() voice {
	return voice{name: n.self, is: n.own(), knows: func(name string) Incarnation { return n.want.Known[name] }}
}

// bound returns as of when this node holds all that a majority acknowledged: the
// latest time since which so many whole members have echoed it, all of whose vectors
// it holds, that with itself they are a majority (R1, R2).
func (c *Core) bound(now time.Duration) (asOf time.Duration, ok bool) {
	n := c.named
	if !n.counts() {
		return 0, false
	}
	var voices []voice
	for _, p := range c.list {
		if p.named.proof == nil {
			continue
		}
		r := p.named.proof.roll
		if v, ok := c.voiceOf(p, r, r.known, uint64(p.named.proof.asOf)); ok {
			voices = append(voices, v)
		}
	}
	upTo, ok := n.quorum.best(n.voice(), voices, n.quorum.enough)
	if upTo > math.MaxInt64 {
		return now, ok // alone
	}
	return time.Duration(upTo), ok
}

// confirmedUpTo returns up to which number of our stream a majority and all members
// have stored our records, ourselves included (W3). 0: none.
func (c *Core) confirmedUpTo() (majority, everywhere uint64) {
	n := c.named
	if !n.counts() {
		return 0, 0
	}
	var voices []voice
	for _, p := range c.list {
		p := p
		if p.named.knew == nil || p.named.counted == 0 {
			continue
		}
		knows := func(name string) Incarnation { return p.named.knew[name] }
		if v, ok := c.voiceOf(p, p.named.roll, knows, p.named.counted); ok {
			voices = append(voices, v)
		}
	}
	majority, _ = n.quorum.best(n.voice(), voices, n.quorum.enough)
	everywhere, _ = n.quorum.best(n.voice(), voices, n.quorum.all)
	return majority, everywhere
}

// outdatedBy reports whether a majority of the others knows another folder under
// this node's name.
func (n *named) outdatedBy(c *Core) bool {
	if n.want.Number == 0 {
		return false
	}
	var say members
	for _, p := range c.list {
		if r := p.named.roll; r != nil && r.Whole && p.name != n.self {
			if known := r.known(n.self); known.Origin != 0 && known.Origin != n.origin && n.own().Before(known) {
				say |= n.quorum.set(p.name)
			}
		}
	}
	return say != 0 && n.quorum.enough(say)
}

// changeList ends a change of the list: it is in force when a majority of its members
// has, since they know of it, held durably what a majority of the list before said
// that knows of it, too.
func (c *Core) changeList() {
	n := c.named
	if !n.want.Caught && n.have.List == n.want.List && n.counts() {
		told := n.quorum.set(n.self)
		for _, p := range c.list {
			if p.named.proof != nil && p.named.proof.roll.counts() && p.named.proof.roll.List == n.want.List {
				told |= n.quorum.set(p.name)
			}
		}
		before := majorities{names: n.quorum.names, lists: n.quorum.lists[1:]}
		if before.enough(told) {
			n.want.Caught = true // stored with all that was taken until now
			n.decided()
		}
	}
	var caught members
	if n.have.Caught && n.have.List == n.want.List {
		caught |= n.quorum.set(n.self)
	}
	for _, p := range c.list {
		if r := p.named.roll; r.counts() && r.List == n.want.List && r.Caught {
			caught |= n.quorum.set(p.name)
		}
	}
	after := majorities{names: n.quorum.names, lists: n.quorum.lists[:1]}
	if after.enough(caught) {
		n.want.Before = nil
		n.decided()
	}
}
