package gossip

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A cluster may keep its records in one durable log that its nodes share, where
// each writes what it accepted itself. A node follows that log beside the
// messages. What it reads there it merges by itself; Vouch tells the Core what
// that amounts to.
//
// Of a member that writes into the log nothing is committed here once more. Its
// records are acknowledged as soon as they are held in memory: whoever waits for
// that waits for the log, too.

// Vouch says that these origins write their records into the shared log, that
// all up to these positions is in the set, and that all which any of them
// acknowledged before asOf is. An origin that has not been heard otherwise is
// remembered, so that nobody need transfer what it wrote, and not listed: it can't
// acknowledge what the log does not tell.
func (c *Core) Vouch(now, asOf time.Duration, positions map[Origin]Position) {
	// The latest first: of those others may still tell.
	latest := func(a, b Origin) int {
		return cmp.Or(cmp.Compare(positions[b].Epoch, positions[a].Epoch), cmp.Compare(a, b))
	}
	for _, o := range slices.SortedFunc(maps.Keys(positions), latest) {
		if o == c.cfg.Origin {
			continue
		}
		p := c.peers[o]
		if p == nil {
			if p = c.unheard(now, o); p == nil {
				continue
			}
		}
		at := positions[o]
		c.learn(now, p, View{Origin: o, At: at, Based: true})
		if p.epoch != at.Epoch {
			continue // an origin of a data folder that has been opened again
		}
		p.logged = true
		p.asOf, p.proven = max(p.asOf, asOf), true
	}
	c.progress(now)
}

// unheard returns a new peer that is not listed, or nil if there is no room.
func (c *Core) unheard(now time.Duration, o Origin) *peer {
	silent := 0
	for _, p := range c.list {
		if !c.listed(now, p) {
			silent++
		}
	}
	if silent >= maxForgotten {
		return nil
	}
	p := c.peer(o, now, false)
	if p != nil {
		p.heardAt = now - c.cfg.ForgetAfter - 1
	}
	return p
}

// keepLogged notes that what is held of members that write into the shared log
// needs no commit, and acknowledges it.
func (c *Core) keepLogged() {
	for _, p := range c.list {
		if !p.logged || p.durable == p.received {
			continue
		}
		p.durable, p.committing, p.committed = p.received, p.at(), p.at()
		c.acknowledge(p, p.at())
	}
}
