package gossiptest

import (
	"fmt"

	"rescind/gossip"
)

// checkAcks: who acknowledges has committed.
func (s *Sim) checkAcks(n *node, acks []gossip.PeerAck) error {
	for _, a := range acks {
		peer := s.nodes[int(a.Origin)-1]
		for _, d := range n.own[:a.Seq] {
			if _, ok := peer.disk.records[d]; !ok && !s.lost[d] {
				return fmt.Errorf("at %v: n%d acknowledged %d records of n%d; %v is not on its disk", s.now, peer.index, a.Seq, n.index, d)
			}
		}
	}
	return nil
}

// checkStaleness: what any member acknowledged before a node claims to be
// complete is in that node's memory.
func (s *Sim) checkStaleness(n *node) error {
	asOf, known := n.core.Staleness(s.now)
	if !known {
		return nil
	}
	listed := map[int]bool{n.index: true}
	for _, m := range n.core.Members(s.now) {
		listed[int(m.Origin)-1] = true
	}
	for _, a := range s.acked {
		if _, ok := n.memory[a.digest]; !ok && a.at < asOf && listed[a.node] && !s.lost[a.digest] {
			return fmt.Errorf("at %v: n%d claims to be complete as of %v but lacks %v, acknowledged by n%d at %v",
				s.now, n.index, asOf, a.digest, a.node, a.at)
		}
	}
	return nil
}

// converged returns nil if all nodes are up and synchronised, can state their
// staleness, and hold all that was acknowledged, in memory and on disk.
//
// A record that its origin had sent but not committed when it crashed may stay
// on some nodes only: nobody was told that it was accepted.
func (s *Sim) converged() error {
	for _, n := range s.nodes {
		if n.core == nil {
			return fmt.Errorf("n%d is down", n.index)
		}
		if !n.core.Synced() {
			return fmt.Errorf("n%d has not synchronised", n.index)
		}
		if _, known := n.core.Staleness(s.now); !known {
			return fmt.Errorf("n%d can't state its staleness", n.index)
		}
		for _, a := range s.acked {
			_, inMemory := n.memory[a.digest]
			_, onDisk := n.disk.records[a.digest]
			if !(inMemory && onDisk) && !s.lost[a.digest] {
				return fmt.Errorf("n%d lacks %v, acknowledged by n%d at %v (in memory %v, on disk %v)",
					n.index, a.digest, a.node, a.at, inMemory, onDisk)
			}
		}
	}
	return nil
}
