package gossiptest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind"
	"rescind/gossip"
	"rescind/internal/identity"
	"rescind/internal/store"
)

// step moves time by one tick and holds all nodes against the promises.
func (s *Sim) step() error {
	if err := s.turn(); err != nil {
		return err
	}
	for _, n := range s.nodes {
		if n.core != nil {
			if err := s.check(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn moves time by one tick: deliveries, commits, ticks, and the work that the
// cores order.
func (s *Sim) turn() error {
	s.now += tick
	for _, d := range s.queue[s.now] {
		if n := s.nodes[d.to]; n.core != nil {
			m, err := gossip.DecodeBy(d.bytes, s.verify)
			if errors.Is(err, gossip.ErrUnsigned) {
				continue // a rogue's
			}
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
		}
		s.acknowledge(n)
		s.turnClock(n)
		n.core.Tick(s.now, s.wall(n))
		if err := s.ready(n); err != nil {
			return err
		}
		if lapsing, trusted := n.core.Lapsing(s.now); trusted {
			n.set.Sweep(n.sweeps, lapsing)
			n.sweeps++
			s.keepClock(n, lapsing)
		}
	}
	return s.broken
}

// verify verifies each signature once and not at each receiver.
func (s *Sim) verify(public [identity.PublicSize]byte, msg []byte, sig [identity.SigSize]byte) bool {
	if _, known := s.verified[sig]; !known {
		if len(s.verified) > 1<<12 {
			clear(s.verified)
		}
		s.verified[sig] = identity.Verify(public, msg, sig)
	}
	return s.verified[sig]
}

// keepClock stores now and then by which clock records lapse, and drops from a real
// store, sooner than a node does.
func (s *Sim) keepClock(n *node, lapsing rescind.Millis) {
	if n.sweeps%dropEvery != 0 {
		return
	}
	n.disk.clock = lapsing
	if n.folder != nil {
		s.broken = errors.Join(s.broken, n.folder.store.Drop(lapsing), n.folder.store.KeepClock(store.Clock{Confirmed: lapsing}))
	}
}

// dropEvery is how many sweeps of memory there are to one of a real store.
const dropEvery = 200

// turnClock sets a clock right whose time has come.
func (s *Sim) turnClock(n *node) {
	if n.rightAt != 0 && s.now >= n.rightAt {
		n.skew, n.rightAt = n.right, 0
	}
}

func (s *Sim) ready(n *node) error {
	for {
		r := n.core.Ready(s.now)
		for _, rec := range r.Apply {
			if !s.calm && s.rng.Float64() < s.opt.Skip && rec.ExpiresAt > s.trueTime().Add(rescind.BucketWidth) {
				s.skipped[rec.Digest] = true
				s.note("n%d skips %v", n.index, rec.Digest)
				continue
			}
			n.set.Merge(rec)
		}
		lapsing, trusted := n.core.Lapsing(s.now)
		for _, rec := range r.Heal {
			if !trusted || !rec.Lapsed(lapsing) {
				n.set.Merge(rec)
			}
		}
		if err := s.checkAcks(n, r.Acks); err != nil {
			return err
		}
		for _, out := range r.Send {
			s.post(n, out)
		}
		if r.Commit != nil {
			n.commit = r.Commit
			n.commitAt = s.now + s.slowly(n, s.upTo(s.opt.Commit))
		}
		for _, scan := range r.Scans {
			records, next, done := n.set.Scan(scan.Cursor, min(s.scanPart, scan.Most))
			records = slices.DeleteFunc(records, func(r rescind.Record) bool { return r.Digest == s.hidden })
			n.core.Scanned(scan, records, next, done)
		}
		for _, c := range r.Compares {
			n.core.Compared(s.now, c, c.Against(n.set, rescind.FirstUnswept(s.wall(n), gossip.CompareSpan)))
		}
		if len(r.Scans)+len(r.Compares) == 0 {
			return nil
		}
	}
}

// slowly stretches what n takes for something.
func (s *Sim) slowly(n *node, d time.Duration) time.Duration {
	if n.slow && !s.calm {
		return 10 * d
	}
	return d
}

func (s *Sim) post(n *node, out gossip.Outgoing) {
	bytes := out.Message.Append(nil)
	if b, ok := out.Message.Body.(*gossip.Beat); ok && out.Message.From == n.origin {
		n.beatN = b.N
	}
	if s.narrow > 0 && len(bytes) > s.narrow || s.lose != nil && s.lose(out.Message.Body) {
		return
	}
	switch out.Message.Body.(type) {
	case *gossip.Compare, *gossip.Supply:
		s.compared += len(bytes)
	}
	for i := range s.nodes {
		if i == n.index || out.To != 0 && out.To != s.nodes[i].origin {
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
		at += s.slowly(s.nodes[to], s.upTo(s.opt.Delay))
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
		if n.folder != nil {
			n.copyFolder()
		}
	}
	if n.folder != nil {
		s.broken = errors.Join(s.broken, n.commitToFolder(n.commit))
	}
	for _, r := range n.commit.Records {
		n.disk.records[r.Digest] = r.Join(n.disk.records[r.Digest])
	}
	n.disk.own = n.commit.Own
	maps.Copy(n.disk.frontiers, n.commit.Frontiers)
	maps.Copy(n.disk.notes, n.commit.Notes)
	if n.commit.Roll != nil {
		n.disk.roll = *n.commit.Roll
	}
	for _, o := range n.commit.Forget {
		delete(n.disk.frontiers, o)
		delete(n.disk.notes, o)
	}
	n.disk.complete = n.disk.complete || n.commit.Complete
	n.commit = nil
}

// acknowledge notes the own records that the last commit has made durable:
// from now on they must never be lost.
func (s *Sim) acknowledge(n *node) {
	if s.opt.Named {
		return // a majority must have stored them, see confirm
	}
	if !n.core.Counted() {
		return // its caller is told that nobody counts it
	}
	for i, r := range n.own[n.told:n.core.Durable()] {
		a := acked{n.index, gossip.Position{Epoch: n.disk.epoch, Seq: n.told + uint64(i) + 1}, r, s.now}
		s.acked = append(s.acked, a)
		for _, other := range s.nodes {
			other.lacks = append(other.lacks, a)
		}
	}
	if n.told < n.core.Durable() {
		s.note("n%d acknowledges its numbers up to %d", n.index, n.core.Durable())
	}
	n.told = n.core.Durable()
}

// crash ends a process. A commit that was under way may have reached the disk
// or not.
func (s *Sim) crash(n *node) {
	if n.commit != nil && s.rng.IntN(2) == 0 {
		s.persist(n)
	}
	s.note("n%d crashes", n.index)
	n.core, n.commit = nil, nil
	if n.folder != nil {
		s.broken = errors.Join(s.broken, s.losePower(n))
	}
	n.upAt = s.now + s.upTo(2*time.Second)
	if s.rng.Float64() < s.opt.Rollback {
		for d, r := range n.disk.records {
			if n.old.records[d] != r {
				s.lost[d] = true
			}
		}
		for o, at := range n.disk.frontiers {
			if n.rolledBack[o].Before(at) {
				n.rolledBack[o] = at
			}
		}
		n.disk = n.old.clone()
		if n.folder != nil {
			n.folder.fs = n.folder.old.CrashClone(vfs.CrashCloneCfg{})
		}
		s.note("the disk of n%d is replaced by an old copy", n.index)
	}
}

// leave ends a process that says so: what is under way to its disk gets there.
func (s *Sim) leave(n *node) {
	n.core.Leave()
	err := s.ready(n)
	if n.commit != nil {
		s.persist(n)
	}
	if n.folder != nil {
		err = errors.Join(err, n.folder.store.Close())
		n.folder.store = nil
	}
	s.broken = errors.Join(s.broken, err)
	s.note("n%d leaves", n.index)
	n.core, n.commit = nil, nil
	n.upAt = s.now + s.upTo(2*time.Second)
}

func (s *Sim) heal() {
	s.calm = true
	s.note("calm")
	for _, n := range s.nodes {
		if n.rightAt != 0 {
			n.rightAt = s.now
		}
	}
	clear(s.cut)
	s.endGhosts()
}
