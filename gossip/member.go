package gossip

import (
	"cmp"
	"slices"
	"time"
)

// Member is another node as this one sees it.
type Member struct {
	Origin Origin
	Name   string
	Epoch  uint64

	Alive  bool          // heard within a few beats
	Left   bool          // said that it goes
	Echoes bool          // has answered a beat of ours
	Heard  time.Duration // since its last beat

	// Staleness says how long ago at the most the member acknowledged
	// something that is not known here. It is meaningful if Known.
	Staleness time.Duration
	Known     bool

	// Skew is by how much its wall clock is ahead of ours, give or take SkewError.
	// Both are 0 until they are measured.
	Skew, SkewError time.Duration

	// Counts says that it counts in the bound, as whoever has echoed a beat of ours
	// does; of a named member that its folder is whole, so that majorities may be
	// made with it.
	Counts bool

	Behind uint64 // its records announced and not yet received
	Acked  uint64 // our records that it has committed
}

// Members lists the other nodes by name.
func (c *Core) Members(now time.Duration) []Member {
	if c.named != nil {
		return c.namedMembers(now)
	}
	members := make([]Member, 0, len(c.peers))
	for _, p := range c.list {
		counts := c.counts(now, p)
		if !c.listed(now, p) || !counts && !(p.spoken && p.alive(now)) {
			continue
		}
		m := p.member(now)
		m.Counts = counts
		members = append(members, m)
	}
	for _, d := range c.departed {
		if d.shown && now-d.heardAt <= c.cfg.ForgetAfter {
			members = append(members, Member{Origin: d.origin, Name: d.name, Epoch: d.at.Epoch, Left: true, Heard: max(0, now-d.heardAt)})
		}
	}
	slices.SortFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Origin, b.Origin))
	})
	return members
}

func (p *peer) member(now time.Duration) Member {
	return Member{
		Origin: p.origin, Name: p.name, Epoch: p.epoch,
		Alive: p.alive(now), Left: p.left, Echoes: p.echoes, Heard: max(0, now-p.heardAt),
		Staleness: now - p.asOf, Known: p.proven,
		Skew: p.skew.middle(), SkewError: p.skew.doubt(),
		Behind: p.head - min(p.head, p.received), Acked: p.acked,
	}
}

// namedMembers lists the other names of the list, met or not.
func (c *Core) namedMembers(now time.Duration) (members []Member) {
	for _, name := range c.named.quorum.names {
		if name == c.named.self {
			continue
		}
		m := Member{Name: name}
		if p := c.memberNamed(name); p != nil {
			m = p.member(now)
			m.Counts = p.named.roll.Whole && p.incarnation() == c.named.want.Known[name]
			m.Known = p.named.proof != nil
			if m.Known {
				m.Staleness = now - p.named.proof.asOf
			}
		}
		members = append(members, m)
	}
	return members
}

// Staleness returns as of when this node is complete: all that any listed
// member had acknowledged by then is held here. A member that left no longer
// counts, once all that it had is here; one that fell silent does, since it may
// go on acknowledging behind a partition. With no member to list, that is now,
// unless the others fell silent one after the other: a node that has lost
// everybody knows nothing. known is false then, and while a listed member has
// proven nothing.
//
// The proof is an echo: a member's beat that names our beat n and its own head
// h was sent after it received n. Whatever it acknowledged before we sent n
// has a number up to h. So once we hold all up to h, we are complete as of the
// sending of n, on our clock alone. Nothing is concluded from the mere receipt
// of a beat, which may be late or replayed.
//
// Among named members it is as of when all that a majority acknowledged is held
// here, whoever has fallen silent.
func (c *Core) Staleness(now time.Duration) (asOf time.Duration, known bool) {
	if c.named != nil {
		if c.named.quorum.enough(c.named.quorum.set(c.named.self)) && c.named.bounded {
			return now, true // alone
		}
		return c.named.bound, c.named.bounded
	}
	asOf, known = now, true
	counting, lost := 0, false // lost: of them, or of who is heard and has not echoed us, nothing is known
	for _, p := range c.list {
		switch {
		case !c.counts(now, p):
			lost = lost || p.spoken && p.alive(now)
		case p.left && p.based && p.received >= p.head:
		case !c.listed(now, p):
			lost = lost || !p.left && !p.logged
		default:
			counting++
			asOf = min(asOf, p.asOf)
			known = known && p.proven
		}
	}
	// Where all have left, one may have come back meanwhile.
	return asOf, known && (counting > 0 || !lost && (len(c.aside) == 0 || c.Synced()))
}
