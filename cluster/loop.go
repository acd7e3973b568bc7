package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/store"
)

const (
	tickEvery = 5 * time.Millisecond
	// sweepEvery is the pace of the sweep: one of 256 shards, so the whole set
	// in about ten seconds.
	sweepEvery = 40 * time.Millisecond
	dropEvery  = time.Minute
	// drain bounds how many messages or proposals are taken in one turn.
	drain = 256
	// scanPart is how many records one answer to a request for the state
	// holds: about 256 KiB, well within what every carrier moves.
	scanPart = 8192
)

// proposal is a revocation on its way into this node's stream.
type proposal struct {
	record rescind.Record
	waiter *waiter
}

// run loads the disk and then owns the core until ctx ends.
func (n *Node) run(ctx context.Context) {
	frontiers, err := n.store.Load(n.clock.retention(), func(r rescind.Record) { n.set.Merge(r) })
	if err != nil {
		n.fail(fmt.Errorf("load the revocations: %w", err))
		return
	}
	l := &loop{Node: n, core: n.newCore(frontiers), started: steady()}
	l.publish()
	n.log.Info("loaded", "revocations", n.set.Len(), "origin", gossip.Origin(n.store.Identity().Origin), "epoch", n.store.Identity().Epoch)

	var workers sync.WaitGroup
	workers.Go(n.writeCommits)
	workers.Go(func() { n.sweep(ctx) })
	l.run(ctx)
	close(n.commits)
	workers.Wait()
	close(n.stopped)
}

func (n *Node) newCore(frontiers []store.Frontier) *gossip.Core {
	id := n.store.Identity()
	known := make(map[gossip.Origin]gossip.Position, len(frontiers))
	for _, f := range frontiers {
		known[gossip.Origin(f.Origin)] = gossip.Position(f.Position)
	}
	return gossip.New(gossip.Config{
		Origin: gossip.Origin(id.Origin), Epoch: id.Epoch, Name: n.cfg.Name,
		Previous: gossip.Position(id.Previous), Frontiers: known, ForgetAfter: n.cfg.ForgetAfter,
	}, steady())
}

// writeCommits makes commits durable, one at a time. What arrives meanwhile
// makes up the next: a group commit.
func (n *Node) writeCommits() {
	for c := range n.commits {
		n.committed <- n.write(c)
	}
}

// write commits c. What a slow disk has let grow beyond one batch goes in
// several; the last one holds the numbers and frontiers that say so.
func (n *Node) write(c *gossip.Commit) error {
	b := n.batch(c)
	for len(b.Records) > store.MaxBatch {
		if err := n.store.Commit(store.Batch{Records: b.Records[:store.MaxBatch]}); err != nil {
			return err
		}
		b.Records = b.Records[store.MaxBatch:]
	}
	return n.store.Commit(b)
}

// batch gives each record the times that the set holds by now, so that the
// disk keeps the join whatever the order of writes.
func (n *Node) batch(c *gossip.Commit) store.Batch {
	b := store.Batch{Own: c.Own, Records: c.Records}
	for i, r := range b.Records {
		if joined, ok := n.set.Lookup(r.Digest); ok {
			b.Records[i] = joined.Join(r)
		}
	}
	for o, at := range c.Frontiers {
		b.Frontiers = append(b.Frontiers, store.Frontier{Origin: uint64(o), Position: store.Position(at)})
	}
	for _, o := range c.Forget {
		b.Forget = append(b.Forget, uint64(o))
	}
	return b
}

// sweep forgets what has lapsed, in memory a little at a time, on disk by
// whole ranges.
func (n *Node) sweep(ctx context.Context) {
	memory, disk := time.NewTicker(sweepEvery), time.NewTicker(dropEvery)
	defer memory.Stop()
	defer disk.Stop()
	for turn := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-memory.C:
			n.counters.swept.Add(uint64(n.set.Sweep(turn, n.clock.retention())))
			turn++
		case <-disk.C:
			if err := n.store.Drop(n.clock.retention()); err != nil {
				n.fail(fmt.Errorf("drop lapsed revocations from disk: %w", err))
				return
			}
		}
	}
}

// loop is the part of a node that its one goroutine owns.
type loop struct {
	*Node
	core      *gossip.Core
	started   time.Duration
	lastHeard time.Duration // of any peer
	warned    bool          // that it serves without having met a peer
}

func (l *loop) run(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			l.core.Leave()
			l.work()
			return
		case p := <-l.proposals:
			l.propose(p)
		case m := <-l.inbox:
			l.step(m)
		case err := <-l.committed:
			if err != nil {
				l.fail(fmt.Errorf("write revocations to disk: %w", err))
				<-ctx.Done()
				return
			}
			l.counters.commits.Add(1)
			l.core.Advance()
			l.acks.durable(l.core.Durable())
		case <-tick.C:
			l.core.Tick(steady())
			l.publish()
			if l.core.Superseded() {
				l.fail(errors.New("the cluster knows a later epoch of this data folder: another process runs from a copy of it, or it was restored while the clock was behind; give each node a folder of its own, or an empty one"))
				<-ctx.Done()
				return
			}
		}
		l.work()
	}
}

// propose takes p and whatever else is waiting, as one batch.
func (l *loop) propose(p *proposal) {
	waiting := []*proposal{p}
	for len(waiting) < drain {
		select {
		case q := <-l.proposals:
			waiting = append(waiting, q)
			continue
		default:
		}
		break
	}
	records := make([]rescind.Record, len(waiting))
	for i, q := range waiting {
		records[i] = q.record
	}
	last := l.core.Propose(records)
	for i, q := range waiting {
		l.acks.enter(q.waiter, last-uint64(len(waiting)-1-i))
	}
	l.counters.revoked.Add(uint64(len(waiting)))
}

// step takes m and whatever else has arrived.
func (l *loop) step(m gossip.Message) {
	now := steady()
	for i := 0; ; i++ {
		l.core.Step(now, m)
		if i == drain {
			return
		}
		select {
		case m = <-l.inbox:
		default:
			return
		}
	}
}

// work does what the core orders, in the order that gossip states.
func (l *loop) work() {
	for {
		r := l.core.Ready(steady())
		for _, rec := range r.Apply {
			if _, changed := l.merge(rec); changed {
				l.counters.applied.Add(1)
			}
		}
		for _, a := range r.Acks {
			l.acks.acked(a, &l.window)
		}
		for _, out := range r.Send {
			l.count(out.Message.Body)
			l.move(out)
		}
		if r.Commit != nil {
			l.commits <- r.Commit // never blocks: one is under way at most
		}
		for _, s := range r.Scans {
			records, next, done := l.set.Scan(s.Cursor, scanPart)
			l.core.Scanned(s, records, next, done)
		}
		if len(r.Scans) == 0 {
			return
		}
	}
}

func (l *loop) count(b gossip.Body) {
	switch b.(type) {
	case *gossip.RangeRequest:
		l.counters.repairs.Add(1)
	case *gossip.StateRequest:
		l.counters.stateRequests.Add(1)
	}
}
