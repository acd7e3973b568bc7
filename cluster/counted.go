package cluster

import (
	"strings"

	"rescind"
)

// In an open cluster the members are those that were heard. So whether what this
// node acknowledges counts anywhere is for others to say.

// onceCounted makes w wait until what this node acknowledges counts: a node that
// knows of members acknowledges nothing in a new epoch until one of them has echoed
// it, since one that left, and came back out of reach, is in nobody's bound. For all
// and majority a member must have been met at least, and of the seeds that a node is
// told, half: nobody is not all.
func (n *Node) onceCounted(w *waiter, ack rescind.Ack) {
	if n.uncounted(ack) == "" && !n.floored(ack) {
		return
	}
	enough, floor := w.need, 0
	if n.floored(ack) && ack == rescind.AckMajority {
		floor = n.cfg.majorityOfSeeds()
	}
	w.need = func(w *waiter) bool { return n.uncounted(ack) == "" && len(w.by) >= floor && enough(w) }
}

// floored reports whether the seeds are the least that must acknowledge.
func (n *Node) floored(ack rescind.Ack) bool {
	return ack == rescind.AckMajority && n.shared == nil && !n.cfg.Bootstrap && n.cfg.majorityOfSeeds() > 0
}

// uncounted says why what this node acknowledges counts nowhere yet, "" if it does.
func (n *Node) uncounted(ack rescind.Ack) string {
	v := n.view.Load()
	switch {
	case n.cfg.alone() || n.shared != nil || v == nil:
		return ""
	case !v.counted:
		return "no other member has echoed this node since it was started, so what it acknowledges counts nowhere yet"
	case (ack == rescind.AckAll || ack == rescind.AckMajority) && !v.met && !n.cfg.first() && !n.cfg.Bootstrap:
		return "no other member has been met, and nobody is not all"
	default:
		return ""
	}
}

// majorityOfSeeds is how many other members make a majority with this one, if the
// cluster has as many members as there are seeds. Names stand for an unknown number.
func (c Config) majorityOfSeeds() int {
	if c.Gossip == nil {
		return 0
	}
	seeds := map[string]bool{}
	for _, s := range c.Gossip.Join {
		if !strings.HasPrefix(s, "dns") || !strings.Contains(s, "+") {
			seeds[s] = true
		}
	}
	return len(seeds) / 2
}
