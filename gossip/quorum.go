package gossip

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Quorum is what a named member knows of the majorities that it counts.
type Quorum struct {
	List    uint64   // the number of the list
	Names   []string // the list
	Before  []string // the list before, while it still counts
	Size    int      // of the list
	Need    int      // of it make a majority
	Reached int      // have echoed this node lately and count, itself included
	Missing []string // the others
	Whole   bool     // this node counts

	Blocked string   // why no bound can be stated, in words; empty: one can
	Notes   []string // what else an administrator should know
}

// Quorum describes the named members; ok is false in a cluster without a list.
func (c *Core) Quorum(now time.Duration) (q Quorum, ok bool) {
	if c.named == nil {
		return q, false
	}
	n := c.named
	q = Quorum{
		List: n.want.List, Names: slices.Clone(n.want.Names), Before: slices.Clone(n.want.Before),
		Size: len(n.want.Names), Need: len(n.want.Names)/2 + 1, Whole: n.counts(),
	}
	if n.counts() {
		q.Reached++
	}
	for _, name := range n.quorum.names {
		if name == n.self {
			continue
		}
		if p := c.memberNamed(name); p != nil && p.alive(now) && p.named.heard && p.named.roll.counts() {
			q.Reached++
		} else {
			q.Missing = append(q.Missing, name)
		}
	}
	q.Blocked, q.Notes = c.blocked(now), c.notes()
	return q, true
}

// memberNamed returns the process that counts under a name, or one that does not
// count yet.
func (c *Core) memberNamed(name string) *peer {
	var best *peer
	for _, p := range c.list {
		if p.name == name && p.named.roll != nil && (best == nil || best.incarnation().Before(p.incarnation())) {
			best = p
		}
	}
	return best
}

// blocked says why this node does not count, or states no bound.
func (c *Core) blocked(now time.Duration) string {
	n := c.named
	names := strings.Join(n.want.Names, ",")
	switch {
	case n.replaced:
		return fmt.Sprintf("another folder has taken the name %s: a majority of the members counts that one", n.self)
	case !n.isMember(n.self):
		return fmt.Sprintf("%s is not one of the members %s any more; set cluster.follow", n.self, names)
	case n.unfounded():
		return c.foundingReason(now)
	case !n.want.Whole:
		return fmt.Sprintf("this folder is new or went back to an older copy: it counts once %d other members that count "+
			"have told it what they hold; of %s, %d have (if their folders are lost for good: rescind members accept-loss)",
			len(n.want.Names)/2+1, names, len(n.witnesses))
	case !n.sure:
		return fmt.Sprintf("this folder counts once %d others of %s have checked that it did not go back to an older copy",
			len(n.want.Names)/2, names)
	case !n.bounded:
		return fmt.Sprintf("waiting for a majority of %s: %s", names, c.waitingFor(now))
	}
	return ""
}

// notes says what an administrator should put right.
func (c *Core) notes() (notes []string) {
	n := c.named
	if !slices.Equal(n.want.Configured, n.want.Names) && !n.unfounded() {
		notes = append(notes, fmt.Sprintf("the setting cluster.members is %s, and the list of the cluster %s (number %d)",
			strings.Join(n.want.Configured, ","), strings.Join(n.want.Names, ","), n.want.List))
	}
	if n.bootstrap && n.want.Whole {
		notes = append(notes, "cluster.bootstrap is ignored: the cluster has been founded; remove the setting, "+
			"since with it a member whose folder is lost could found another")
	}
	for _, name := range slices.Sorted(maps.Keys(n.refused)) {
		notes = append(notes, fmt.Sprintf("a process called %q is not counted: %s", name, n.refused[name]))
	}
	return notes
}
