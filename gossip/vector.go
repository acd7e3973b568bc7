package gossip

import "slices"

// The version vector of a node: for each other origin the position up to which
// everything is held here, durably. Two rules hold for it, in every kind of cluster.
//
//   - W1: a position is acknowledged only once it is a frontier with a base that is
//     stored in a commit with the records that it covers. What is held of an epoch
//     whose base is missing is no frontier; its origin's next epoch makes it a
//     hole of which nobody knows.
//   - W2: an entry never goes back: not with a new epoch of its origin, not when a
//     base turns out to have been too little, not with a restart.

// entry returns up to where p's streams are held, durable or not. It never goes back
// while this process lives; what of it is stored is committed.
func (p *peer) entry() Position {
	if p.based {
		return p.at()
	}
	return p.past
}

// moved returns the entries that have moved on since they were stored, and whether
// one of them is awaited: its origin's records are on this disk and, for want of
// their base, have not been acknowledged.
func (c *Core) moved() (entries map[Origin]Position, awaited bool) {
	entries = map[Origin]Position{}
	for _, p := range c.list {
		at := p.entry()
		stranger := c.named == nil && !p.admitted && !p.left
		if p.logged || !p.committed.Before(at) || stranger || slices.Contains(c.forget, p.origin) {
			continue // the folder tells of members that count: at the next start they do
		}
		entries[p.origin] = at
		awaited = awaited || p.based && p.committed.Epoch < p.epoch && p.durable > 0
	}
	return entries, awaited
}

// stored notes that a commit with these entries is durable, and acknowledges those
// of current epochs.
func (c *Core) stored(entries map[Origin]Position) {
	for _, p := range c.list {
		if at, ok := entries[p.origin]; ok && p.committed.Before(at) {
			p.committed = at
		}
		if p.logged || p.committing.Epoch != p.epoch {
			continue
		}
		p.durable = max(p.durable, p.committing.Seq)
		if at := p.committed; at.Epoch == p.epoch && p.acknowledged.Before(at) {
			p.acknowledged = at
			c.acknowledge(p, at)
		}
	}
}

// durableView states what is stored of p's streams: its entry, and of an epoch
// without a base what is on this disk, which acknowledges nothing.
func (p *peer) durableView() (at, past Position, based bool) {
	switch {
	case p.logged:
		return Position{p.epoch, p.durable}, p.past, p.based
	case p.based && p.committed.Epoch == p.epoch:
		return p.committed, p.past, true
	case p.committed.Epoch < p.epoch:
		return Position{p.epoch, p.durable}, p.committed, false
	default: // its base was too little, see stepBeat
		return Position{p.epoch, p.durable}, p.past, false
	}
}

func later(p, q Position) Position {
	if p.Before(q) {
		return q
	}
	return p
}
