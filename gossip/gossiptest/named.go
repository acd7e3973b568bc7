package gossiptest

import (
	"fmt"
	"slices"
	"time"

	"rescind/gossip"
)

// membership is what n is told of the named members, and what its disk keeps of
// them.
func (s *Sim) membership(n *node) *gossip.Membership {
	if !s.opt.Named {
		return nil
	}
	names := make([]string, s.opt.Nodes)
	for i := range names {
		names[i] = fmt.Sprint("n", i)
	}
	slices.Sort(names)
	return &gossip.Membership{Names: names, State: n.disk.roll, Fresh: gossip.ClusterID{byte(n.index + 1), byte(n.disk.epoch)}}
}

// byOrigin returns the node that has this folder, or nil.
func (s *Sim) byOrigin(o gossip.Origin) *node {
	for _, n := range s.nodes {
		if n.origin == o {
			return n
		}
	}
	return nil
}

// confirm notes what n's core says to be stored by a majority: from now on it must
// never be lost, and whoever claims a bound of now has it.
func (s *Sim) confirm(n *node) {
	if !s.opt.Named {
		return
	}
	majority, _ := n.core.Majority()
	for ; n.told < majority; n.told++ {
		a := acked{n.index, gossip.Position{Epoch: n.disk.epoch, Seq: n.told + 1}, n.own[n.told], s.now}
		s.acked = append(s.acked, a)
		for _, other := range s.nodes {
			other.lacks = append(other.lacks, a)
		}
		s.note("a majority has number %d of %s (%v)", n.told+1, n.name, a.record.Digest)
	}
}

// checkBound: what a majority had acknowledged before the time as of which n claims
// to be complete is refused at n.
func (s *Sim) checkBound(n *node, asOf time.Duration) error {
	for _, a := range n.lacks {
		if a.at < asOf {
			return fmt.Errorf("at %v: %s (%v) claims to be complete as of %v but lacks %v, which a majority had acknowledged to n%d at %v",
				s.now, n.name, n.origin, asOf, a.record.Digest, a.node, a.at)
		}
	}
	return nil
}

// replaceFolder wipes the folder of a named member, unless so few others count that
// it could not be told what it lacks. The process that ran from the old folder may
// live on, behind a partition to begin with.
func (s *Sim) replaceFolder(n *node) {
	whole := 0
	for _, q := range s.nodes[:s.opt.Nodes] {
		if q != n && q.disk.roll.Whole {
			whole++
		}
	}
	if n.ghost || n.commit != nil || whole <= s.opt.Nodes/2 || len(s.nodes) > 3*s.opt.Nodes {
		return
	}
	if n.core != nil && s.rng.Float64() < s.opt.Ghost {
		g := *n
		g.index, g.ghost, g.upAt = len(s.nodes), true, s.now+time.Hour
		for i := range s.nodes {
			until := s.now + s.upTo(6*time.Second)
			if s.rng.IntN(3) > 0 {
				s.cut[[2]int{g.index, i}] = until
			}
			if s.rng.IntN(3) > 0 {
				s.cut[[2]int{i, g.index}] = until
			}
		}
		g.lacks = slices.Clone(n.lacks)
		s.nodes = append(s.nodes, &g)
		s.note("the process of %s lives on as n%d", n.name, g.index)
	}
	n.core, n.commit = nil, nil
	n.disk = emptyDisk()
	n.old = n.disk.clone()
	s.folders++
	n.key = keyOf(n.index, s.folders)
	n.origin = gossip.Origin(n.key.Origin())
	n.upAt = s.now + s.upTo(2*time.Second)
	s.note("the folder of %s is replaced by an empty one, %v", n.name, n.origin)
}

// endGhosts stops the processes whose folders were replaced, as somebody must.
func (s *Sim) endGhosts() {
	if len(s.nodes) == s.opt.Nodes {
		return
	}
	s.nodes = s.nodes[:s.opt.Nodes]
	for at, queue := range s.queue {
		s.queue[at] = slices.DeleteFunc(queue, func(d delivery) bool { return d.to >= len(s.nodes) })
	}
}
