package gossiptest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"rescind"
	"rescind/gossip"
)

// step moves time by one tick: deliveries, commits, ticks, and the work that
// the cores order.
func (s *Sim) step() error {
	s.now += tick
	for _, d := range s.queue[s.now] {
		if n := s.nodes[d.to]; n.core != nil {
			m, err := gossip.Decode(d.bytes)
			if err != nil {
				return fmt.Errorf("decode what was encoded: %w", err)
			}
			n.core.Step(s.now, m)
			if err := s.ready(n); err != nil {
				return err
			}
		}
	}
	delete(s.queue, s.now)
	for _, n := range s.nodes {
		if n.core == nil {
			if s.now >= n.upAt {
				s.open(n)
			}
			continue
		}
		if n.commit != nil && s.now >= n.commitAt {
			s.persist(n)
			n.core.Advance()
			s.acknowledge(n)
		}
		n.core.Tick(s.now)
		if err := s.ready(n); err != nil {
			return err
		}
		if err := s.checkStaleness(n); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sim) ready(n *node) error {
	for {
		r := n.core.Ready(s.now)
		for _, rec := range r.Apply {
			n.memory[rec.Digest] = rec
		}
		if err := s.checkAcks(n, r.Acks); err != nil {
			return err
		}
		for _, out := range r.Send {
			s.post(n, out)
		}
		if r.Commit != nil {
			n.commit = r.Commit
			n.commitAt = s.now + s.upTo(s.opt.Commit)
		}
		for _, scan := range r.Scans {
			records, next, done := n.scan(scan.Cursor, 20)
			n.core.Scanned(scan, records, next, done)
		}
		if len(r.Scans) == 0 {
			return nil
		}
	}
}

func (n *node) scan(from rescind.Digest, limit int) (records []rescind.Record, next rescind.Digest, done bool) {
	for d, r := range n.memory {
		if !d.Less(from) {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b rescind.Record) int {
		return cmp.Or(cmp.Compare(a.Digest.Hi, b.Digest.Hi), cmp.Compare(a.Digest.Lo, b.Digest.Lo))
	})
	if len(records) > limit {
		return records[:limit], records[limit].Digest, false
	}
	return records, rescind.Digest{}, true
}

func (s *Sim) post(n *node, out gossip.Outgoing) {
	bytes := out.Message.Append(nil)
	for i := range s.nodes {
		if i == n.index || out.To != 0 && out.To != origin(i) {
			continue
		}
		for {
			s.deliver(n.index, i, bytes)
			if s.calm || s.rng.Float64() >= s.opt.Duplicate {
				break
			}
		}
	}
}

func (s *Sim) deliver(from, to int, bytes []byte) {
	if s.now < s.cut[[2]int{from, to}] || !s.calm && s.rng.Float64() < s.opt.Loss {
		return
	}
	at := s.now + tick
	if !s.calm {
		at += s.upTo(s.opt.Delay)
	}
	s.queue[at] = append(s.queue[at], delivery{from, to, bytes})
}

// upTo returns a random whole number of ticks.
func (s *Sim) upTo(most time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(most/tick)+1)) * tick
}

// persist writes n's commit to its disk.
func (s *Sim) persist(n *node) {
	if s.rng.IntN(50) == 0 {
		n.old = n.disk.clone()
	}
	for _, r := range n.commit.Records {
		n.disk.records[r.Digest] = r
	}
	n.disk.own = n.commit.Own
	maps.Copy(n.disk.frontiers, n.commit.Frontiers)
	for _, o := range n.commit.Forget {
		delete(n.disk.frontiers, o)
	}
	n.commit = nil
}

// acknowledge notes the own records that the last commit has made durable:
// from now on they must never be lost.
func (s *Sim) acknowledge(n *node) {
	for _, d := range n.own[n.told:n.core.Durable()] {
		s.acked = append(s.acked, acked{n.index, d, s.now})
	}
	n.told = n.core.Durable()
}

// crash ends a process. A commit that was under way may have reached the disk
// or not.
func (s *Sim) crash(n *node) {
	if n.commit != nil && s.rng.IntN(2) == 0 {
		s.persist(n)
	}
	n.core, n.commit = nil, nil
	n.upAt = s.now + s.upTo(2*time.Second)
	if s.rng.Float64() < s.opt.Rollback {
		for d := range n.disk.records {
			if _, kept := n.old.records[d]; !kept {
				s.lost[d] = true
			}
		}
		n.disk = n.old.clone()
	}
}

func (s *Sim) heal() {
	s.calm = true
	clear(s.cut)
}
