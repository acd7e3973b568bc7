package gossip

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A folder is whole if it has not forgotten what it acknowledged. One that was wiped
// may have been one of the majority that held a record, so it counts for nothing
// until it has read what a majority of the others holds (I1 to I3 of
// docs/protocol.md). Where all folders are new there is nothing to read: then the
// members found the cluster.

// becomeWhole looks whether this folder, which does not count, may from now on.
func (c *Core) becomeWhole(now time.Duration) {
	n := c.named
	c.holdWitnessed()
	if n.unfounded() && c.found(now) {
		return
	}
	if n.want.Number == 0 {
		c.number(now)
		return
	}
	if n.outdated() {
		n.renumber()
		return
	}
	set := n.voicesOf(func(w *witness) bool { return w.held })
	if !n.second {
		if n.sufficient(set) {
			n.second, n.secondAt, n.moved = true, now, true
		}
		return
	}
	if n.sufficient(n.voicesOf(func(w *witness) bool { return w.held && w.confirmed })) {
		n.join()
	}
}

// number gives this folder an incarnation once a majority of the others has been
// heard, whose knowledge it builds on (I2).
func (c *Core) number(now time.Duration) {
	n := c.named
	var heard members
	for _, p := range c.list {
		if r := p.named.roll; n.reads(r) && p.named.heard && p.alive(now) && p.name != n.self && !n.foreign(r) {
			n.learnList(r)
			n.adoptKnown(r)
			n.adoptIdentity(r)
			heard |= n.quorum.set(p.name)
		}
	}
	if n.quorum.enough(heard) || n.accepted && heard != 0 {
		n.renumber()
	}
}

// reads reports whether a folder that does not count yet may build on what the sender of
// r holds. Where a loss is accepted, that one may have been started again, and then so
// few whole members are left that nobody can check its folder.
func (n *named) reads(r *Roll) bool { return r.counts() || n.accepted && r != nil && r.Whole }

// renumber makes this folder a later incarnation than any that is known.
func (n *named) renumber() {
	n.want.Number = n.want.Known[n.self].Number + 1
	n.want.Known[n.self] = n.own()
	n.witnesses, n.second = map[string]*witness{}, false
	n.decided()
}

// adoptKnown takes over which incarnations another knows.
func (n *named) adoptKnown(r *Roll) {
	for _, e := range r.Entries {
		if n.want.Known[e.Name].Before(e.Known) {
			n.want.Known[e.Name] = e.Known
			n.decided()
		}
	}
}

// witness takes a heartbeat of a whole member that echoes ours of the time sent: in
// the first round what it holds, if it has noted this folder's incarnation, and in
// the second that it still is who it was.
func (c *Core) witness(p *peer, b *Beat, sent time.Duration) {
	n, r := c.named, p.named.roll
	if n.want.Whole || n.want.Number == 0 || p.named.list > n.want.List && r.List > n.want.List {
		return
	}
	n.adoptKnown(r)
	if n.outdated() || n.have.Number != n.want.Number || r.known(n.self) != n.own() {
		return
	}
	if n.witnesses == nil {
		n.witnesses = map[string]*witness{} // of a folder that was opened again
	}
	w := n.witnesses[p.name]
	if w == nil || w.is != p.incarnation() {
		n.witnesses[p.name] = &witness{
			voice: voice{name: p.name, is: p.incarnation(), knows: r.known},
			views: b.Views,
		}
		n.second = false
		for _, w := range n.witnesses {
			w.confirmed = false
		}
	} else {
		w.knows = r.known
		w.confirmed = w.confirmed || n.second && sent >= n.secondAt
	}
}

// holdWitnessed notes which witnesses' vectors are held.
func (c *Core) holdWitnessed() {
	for _, w := range c.named.witnesses {
		w.held = w.held || c.holdsAll(w.views)
	}
}

func (n *named) voicesOf(which func(*witness) bool) (voices []voice) {
	for _, name := range slices.Sorted(maps.Keys(n.witnesses)) {
		if w := n.witnesses[name]; which(w) {
			voices = append(voices, w.voice)
		}
	}
	return voices
}

// sufficient reports whether a majority not counting this folder is among the
// witnesses, of whom nobody knows that another has been replaced.
func (n *named) sufficient(witnesses []voice) bool {
	self := n.quorum.set(n.self)
	_, ok := n.quorum.best(n.voice(), witnesses, func(s members) bool {
		return n.quorum.enough(s&^self) || n.accepted && s&^self != 0
	})
	return ok
}

// join makes this folder whole. It is stored together with all that was taken until
// now, and told only then.
func (n *named) join() {
	n.want.Whole, n.sure, n.witnesses, n.second, n.accepted = true, true, nil, false, false
	n.decided()
}

// found founds the cluster, or finds that it has been. It reports whether this folder
// is whole by that.
func (c *Core) found(now time.Duration) bool {
	n := c.named
	others, met := c.unfoundedOthers(now)
	for _, p := range met {
		r := p.named.roll
		if names, _ := r.lists(); r.known(n.self) == (Incarnation{1, n.origin}) && slices.Contains(names, n.self) {
			n.want.Cluster, n.want.List, n.want.Names, n.want.Number = r.Cluster, r.List, names, 1
			n.adoptKnown(r)
			n.join()
			return true
		}
	}
	if len(met) > 0 {
		return false
	}
	if n.want.Vote == 0 {
		if founder := n.founder(others, now-c.started >= foundAlone); founder != 0 {
			n.want.Vote = founder
			n.decided()
		}
	}
	if n.have.Vote != n.origin {
		return false
	}
	known := map[string]Incarnation{n.self: {1, n.origin}}
	voted, opened := n.quorum.set(n.self), n.have.Opened
	for _, p := range others {
		if p.named.roll.Vote == n.origin {
			known[p.name] = Incarnation{1, p.origin}
			voted |= n.quorum.set(p.name)
			opened = opened && p.named.roll.Before
		}
	}
	if !n.quorum.all(voted) && !((n.bootstrap || opened) && n.quorum.enough(voted)) {
		return false
	}
	n.want.Cluster, n.want.List, n.want.Known, n.want.Number = n.fresh, 1, known, 1
	n.join()
	return true
}

// unfoundedOthers returns the members that hear this node, by name, that have not been
// part of a cluster and are told the same names, and those that are whole.
func (c *Core) unfoundedOthers(now time.Duration) (others []*peer, whole []*peer) {
	n := c.named
	for _, name := range n.quorum.names {
		p := c.memberNamed(name)
		if name == n.self || p == nil || !p.alive(now) || !p.named.heard || n.foreign(p.named.roll) {
			continue
		}
		names, _ := p.named.roll.lists()
		switch {
		case p.named.roll.Whole:
			whole = append(whole, p)
		case p.named.roll.unfounded() && slices.Equal(names, n.want.Names):
			others = append(others, p)
		}
	}
	return others, whole
}

// foundAlone is how long after its start a member with a folder from before its
// members were named waits for all of them before a majority of such suffices.
const foundAlone = 5 * time.Second

// founder returns for whom this node votes: the first name that was told to found
// with a majority, once one is met; else the first name where all are met, or after a
// while (late) where all that are met hold something, and are a majority, so that a
// cluster which gets a list can be restarted one node at a time. Each folder votes
// once, so two can't found.
func (n *named) founder(others []*peer, late bool) Origin {
	met, first, opened := n.quorum.set(n.self), n.self, n.have.Opened
	var told string // the first name with cluster.bootstrap
	if n.bootstrap {
		told = n.self
	}
	origins := map[string]Origin{n.self: n.origin}
	for _, p := range others {
		met |= n.quorum.set(p.name)
		origins[p.name] = p.origin
		first, opened = min(first, p.name), opened && p.named.roll.Before
		if p.named.roll.Bootstrap && (told == "" || p.name < told) {
			told = p.name
		}
	}
	switch {
	case told != "" && n.quorum.enough(met):
		return origins[told]
	case n.quorum.all(met), late && opened && n.quorum.enough(met):
		return origins[first]
	}
	return 0
}

// AcceptLoss says that what only lost folders held is given up: this folder counts
// as soon as it holds what the members that are heard hold, and where all are new
// they found the cluster without the missing.
func (c *Core) AcceptLoss() error {
	n := c.named
	switch {
	case n == nil:
		return fmt.Errorf("the members of this cluster are not named")
	case n.want.Whole:
		return fmt.Errorf("this folder has lost nothing; run it on a member whose folder was lost")
	}
	n.accepted, n.bootstrap = true, true
	return nil
}

// foundingReason says what a new folder waits for.
func (c *Core) foundingReason(now time.Duration) string {
	n := c.named
	others, whole := c.unfoundedOthers(now)
	switch {
	case len(whole) > 0:
		return fmt.Sprintf("this folder is new: it counts once %d other members that count have told it what they hold; %d are heard (if their folders are lost for good: rescind members accept-loss)",
			len(n.want.Names)/2+1, len(whole))
	case n.want.Vote != 0 && n.want.Vote != n.origin:
		return fmt.Sprintf("waiting for the member with the folder %v to found the cluster; if that folder is lost, empty this one, which holds nothing", n.want.Vote)
	}
	missing := slices.Clone(n.want.Names)
	missing = slices.DeleteFunc(missing, func(name string) bool {
		return name == n.self || slices.ContainsFunc(others, func(p *peer) bool { return p.name == name })
	})
	return fmt.Sprintf("all folders that are heard are new, and %s must be heard before the cluster is founded (cluster.bootstrap founds it with a majority)",
		strings.Join(missing, ","))
}

// waitingFor says which members have not echoed this node, or don't count.
func (c *Core) waitingFor(now time.Duration) string {
	var words []string
	for _, name := range c.named.quorum.names {
		if name == c.named.self {
			continue
		}
		p := c.memberNamed(name)
		switch {
		case p == nil || !p.alive(now):
			words = append(words, name+" is not heard")
		case !p.named.heard:
			words = append(words, name+" does not hear this node")
		case !p.named.roll.counts():
			words = append(words, name+" does not count yet")
		case c.named.disagrees(p.named.roll):
			words = append(words, name+" has another list of members with the same number: undo one of the two changes")
		case p.named.proof == nil:
			words = append(words, name+" holds what is not here yet")
		}
	}
	return strings.Join(words, ", ")
}
