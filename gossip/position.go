package gossip

import (
	"cmp"
	"slices"
)

// Held is how far the streams of one origin are held here, in memory: what
// checks know, durable or not.
type Held struct {
	Origin Origin
	At     Position // its epoch as far as known, and the frontier in it
	Based  bool     // what it held before that epoch is held, too
	Past   Position // what is held of earlier epochs; zero: where it ends has not been stated
	Entry  Position // that of the version vector, durable or not
}

// Covers reports whether all of the origin's streams up to p is held.
func (h Held) Covers(p Position) bool {
	switch {
	case p.Epoch > h.At.Epoch:
		return false
	case p.Epoch == h.At.Epoch:
		return h.Based && p.Seq <= h.At.Seq
	default:
		return h.Based && h.Past == Position{} || !h.Past.Before(p)
	}
}

// Says reports whether the version vector has p: all up to p was held, by what the
// origin had said then. Unlike Covers it never goes back, see W2.
func (h Held) Says(p Position) bool { return !h.Entry.Before(p) }

// Held lists what is held of every origin, this node included, by origin. It
// counts what Step has taken, so the caller first does what Ready orders.
func (c *Core) Held() []Held {
	held := make([]Held, 0, len(c.list)+1)
	for _, p := range c.list {
		held = append(held, Held{Origin: p.origin, At: p.at(), Based: p.based, Past: p.heldPast(), Entry: later(p.entry(), p.committed)})
	}
	for _, d := range c.departed {
		held = append(held, Held{Origin: d.origin, At: d.at, Based: true, Entry: d.at})
	}
	if len(c.departed) > 0 {
		slices.SortFunc(held, func(h, g Held) int { return cmp.Compare(h.Origin, g.Origin) })
	}
	own := Held{Origin: c.cfg.Origin, At: Position{c.cfg.Epoch, c.own.received}, Based: true, Past: c.previous, Entry: Position{c.cfg.Epoch, c.own.received}}
	at, _ := slices.BinarySearchFunc(held, own.Origin, func(h Held, o Origin) int { return cmp.Compare(h.Origin, o) })
	return slices.Insert(held, at, own)
}

// heldPast says up to where the earlier epochs are held. With a base that is
// to where the origin says they end, which is less than it acknowledged while
// it runs from an old copy of its folder.
func (p *peer) heldPast() Position {
	switch {
	case !p.based:
		return p.past
	case !p.known:
		return Position{}
	case p.past.Before(p.previous):
		return p.previous
	default:
		return p.past
	}
}
