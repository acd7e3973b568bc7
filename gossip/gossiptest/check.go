package gossiptest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"rescind"
	"rescind/gossip"
)

// check holds one node against the promises that concern it at any time.
func (s *Sim) check(n *node) error {
	s.confirm(n)
	n.lacks = slices.DeleteFunc(n.lacks, func(a acked) bool { return s.holds(n, a) })
	if n.core.Superseded() && !n.ghost {
		return fmt.Errorf("at %v: n%d stops, and no other process has its folder", s.now, n.index)
	}
	if err := s.checkStaleness(n); err != nil {
		return err
	}
	if err := s.checkReady(n); err != nil {
		return err
	}
	if err := s.checkVector(n); err != nil {
		return err
	}
	if s.now%(50*tick) == 0 {
		if err := s.checkKept(n); err != nil {
			return err
		}
		return s.checkTrue(n)
	}
	return nil
}

// holds reports whether n refuses what a revoked, or need not.
func (s *Sim) holds(n *node, a acked) bool {
	d := a.record.Digest
	return n.refuses(a.record) || !s.required(a.record) || s.lost[d] || s.skipped[d]
}

func (n *node) refuses(r rescind.Record) bool {
	held, ok := n.set.Lookup(r.Digest)
	return ok && held.Join(r) == held
}

// required reports whether some verifier may still accept a token that r
// covers, were it not for r.
func (s *Sim) required(r rescind.Record) bool { return s.trueTime() <= r.ExpiresAt.Add(required) }

// checkVector: what a node has once acknowledged, its version vector goes on saying,
// in memory and on disk (W2 of package gossip).
func (s *Sim) checkVector(n *node) error {
	held := n.core.Held()
	for i := range s.nodes {
		at := n.disk.promised[s.nodes[i].origin]
		if at.Epoch == 0 {
			continue
		}
		if n.disk.frontiers[s.nodes[i].origin].Before(at) {
			return fmt.Errorf("at %v: n%d acknowledged %v of n%d; its disk says %v", s.now, n.index, at, i, n.disk.frontiers[s.nodes[i].origin])
		}
		for _, h := range held {
			if h.Origin == s.nodes[i].origin && !h.Says(at) {
				return fmt.Errorf("at %v: n%d acknowledged %v of n%d and says that it holds %+v", s.now, n.index, at, i, h)
			}
		}
	}
	return nil
}

// checkAcks: who acknowledges has committed, the records and the frontier that says
// so (W1 of package gossip).
func (s *Sim) checkAcks(n *node, acks []gossip.PeerAck) error {
	for _, a := range acks {
		peer := s.byOrigin(a.Origin)
		if peer == nil {
			continue // its folder is gone
		}
		at := gossip.Position{Epoch: n.disk.epoch, Seq: a.Seq}
		switch {
		case !peer.disk.frontiers[n.origin].Before(at):
			if peer.disk.promised[n.origin].Before(at) {
				peer.disk.promised[n.origin] = at
			}
		case peer.rolledBack[n.origin].Before(at):
			return fmt.Errorf("at %v: n%d acknowledged %v of n%d; its frontier there is %v", s.now, peer.index, at, n.index, peer.disk.frontiers[n.origin])
		}
		for _, r := range n.own[:a.Seq] {
			if onDisk := peer.disk.records[r.Digest]; onDisk.Join(r) != onDisk && !s.lost[r.Digest] && !s.skipped[r.Digest] {
				return fmt.Errorf("at %v: n%d acknowledged %d records of n%d; %v is not on its disk", s.now, peer.index, a.Seq, n.index, r.Digest)
			}
		}
	}
	return nil
}

// checkStaleness: what any member acknowledged before a node claims to be
// complete is in that node's memory, also if that member has left and come back.
func (s *Sim) checkStaleness(n *node) error {
	asOf, known := n.core.Staleness(s.now)
	if !known || len(n.lacks) == 0 {
		return nil
	}
	if s.opt.Named {
		return s.checkBound(n, asOf)
	}
	const any = math.MaxUint64
	listed := map[int]uint64{n.index: any} // up to which epoch
	for _, m := range n.core.Members(s.now) {
		if p := s.byOrigin(m.Origin); p != nil && m.Counts {
			listed[p.index] = any
		}
	}
	for _, a := range n.lacks {
		if a.at < asOf && a.place.Epoch <= listed[a.node] {
			return fmt.Errorf("at %v: n%d claims to be complete as of %v but lacks %v, acknowledged by n%d at %v",
				s.now, n.index, asOf, a.record.Digest, a.node, a.at)
		}
	}
	return nil
}

// checkReady: when a node has synchronised, it holds all that the disk of some
// other node vouched for when it started.
func (s *Sim) checkReady(n *node) error {
	if n.others == nil || !n.core.Synced() {
		return nil
	}
	others := n.others
	n.others = nil
	for _, held := range others {
		if !slices.ContainsFunc(held, func(a acked) bool { return !s.holds(n, a) }) {
			return nil
		}
	}
	return fmt.Errorf("at %v: n%d has synchronised and holds less than any other node vouched for when it started", s.now, n.index)
}

// checkKept: what a node has once held it holds for as long as anybody needs it.
func (s *Sim) checkKept(n *node) error {
	lacks := map[acked]bool{}
	for _, a := range n.lacks {
		lacks[a] = true
	}
	for _, a := range s.acked {
		if !lacks[a] && !s.holds(n, a) {
			return fmt.Errorf("at %v: n%d has forgotten %v, acknowledged by n%d at %v, %v before its time",
				s.now, n.index, a.record.Digest, a.node, a.at, time.Duration(a.record.ExpiresAt.Add(required)-s.trueTime())*time.Millisecond)
		}
	}
	return nil
}

// checkTrue: a node holds nothing that nobody has revoked.
func (s *Sim) checkTrue(n *node) error {
	records, _, done := n.set.Scan(rescind.Digest{}, len(s.written)+1)
	for _, r := range records {
		if said, ok := s.written[r.Digest]; !ok || said.Join(r) != said {
			return fmt.Errorf("at %v: n%d holds %v, which nobody revoked", s.now, n.index, r)
		}
	}
	if !done {
		return fmt.Errorf("at %v: n%d holds more than all that was revoked", s.now, n.index)
	}
	return nil
}

// converged returns nil if all nodes are up and synchronised, can state their
// staleness, and hold the same: all that was acknowledged, on disk as well.
func (s *Sim) converged() error {
	for _, n := range s.nodes {
		if n.core == nil {
			return fmt.Errorf("n%d is down", n.index)
		}
		if !n.core.Synced() {
			return fmt.Errorf("n%d has not synchronised", n.index)
		}
		if asOf, known := n.core.Staleness(s.now); !known || s.now-asOf > s.usualStaleness() {
			return fmt.Errorf("n%d can't state its staleness, or only %v", n.index, s.now-asOf)
		}
		for _, a := range s.acked {
			onDisk := n.disk.records[a.record.Digest]
			stored, refused := onDisk.Join(a.record) == onDisk, n.refuses(a.record)
			if !(stored && refused) && s.required(a.record) && !s.lost[a.record.Digest] && !s.unfindable(a.record) {
				return fmt.Errorf("n%d lacks %v, acknowledged by n%d at %v (in memory %v, on disk %v)", n.index, a.record.Digest, a.node, a.at, refused, stored)
			}
		}
	}
	return s.equal()
}

// unfindable reports whether a comparison can't bring r to whoever has skipped it: the
// folders of those that had merged it were replaced since.
func (s *Sim) unfindable(r rescind.Record) bool {
	return s.opt.Named && s.skipped[r.Digest] && !slices.ContainsFunc(s.nodes, func(n *node) bool { return n.refuses(r) })
}

// usualStaleness is what a calm cluster stays below: an echo comes with each turn
// of the views.
func (s *Sim) usualStaleness() time.Duration {
	turns := 1
	if s.opt.BeatViews > 0 {
		turns = (len(s.nodes) + s.opt.BeatViews - 1) / s.opt.BeatViews
	}
	return time.Duration(3+turns) * gossip.BeatEvery
}

// equal returns nil if all nodes hold the same, but for what some may have
// swept already.
func (s *Sim) equal() error {
	g := rescind.Range{From: rescind.Bound{Bucket: rescind.FirstUnswept(s.trueTime(), s.opt.Skew)}, To: rescind.End}
	first := s.nodes[0].set.SumRange(g)
	for _, n := range s.nodes[1:] {
		if sum := n.set.SumRange(g); sum != first {
			return fmt.Errorf("n%d holds other records than n0: %d and %d", n.index, sum.Count, first.Count)
		}
	}
	return nil
}
