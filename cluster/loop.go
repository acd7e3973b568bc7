package cluster

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
	// auditEvery is the pace of the audit, likewise: the whole set in some six
	// minutes.
	auditEvery = 1500 * time.Millisecond
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
	defer close(n.stopped) // also where nothing could be loaded
	// Whether this machine's clock is right is not known yet. What had lapsed in the
	// life before stays on disk for a while, and is loaded only where a clock that was
	// wrong then has been set back.
	clock, err := n.store.Clock()
	if err != nil {
		n.fail(fmt.Errorf("load the clock by which revocations lapse: %w", err))
		return
	}
	lapsed := min(clock.Confirmed, rescind.MillisOf(n.cfg.now()))
	frontiers, err := n.store.Load(ctx, lapsed, func(r rescind.Record) {
		joined, _ := n.set.Merge(r)
		n.watches.fire(joined) // who watches since before it was there
	})
	if err != nil {
		if ctx.Err() == nil {
			n.fail(fmt.Errorf("load the revocations: %w", err))
		}
		return
	}
	notes, err := n.store.Notes()
	if err != nil {
		n.fail(err)
		return
	}
	members, err := n.membership(frontiers)
	if err != nil {
		n.fail(err)
		return
	}
	l := &loop{
		Node: n, core: n.newCore(frontiers, notes, clock.Confirmed, members), loaded: steady(), told: states{}, gaps: gaps{},
	}
	if n.shared != nil {
		l.vouchFor()
	}
	l.publish()
	n.log.Info("loaded", "revocations", n.set.Len(), "origin", gossip.Origin(n.store.Identity().Origin), "epoch", n.store.Identity().Epoch)

	var workers sync.WaitGroup
	workers.Go(func() { n.writeCommits(ctx) })
	if n.shared != nil {
		workers.Go(func() { n.follow(ctx) })
	}
	workers.Go(func() { n.sweep(ctx, diskClock{clock}) })
	workers.Go(func() { n.readers.read(ctx, n.readers.scans, 0) })
	workers.Go(func() { n.readers.read(ctx, n.readers.compares, comparePause) })
	l.run(ctx)
	close(n.commits)
	workers.Wait()
}

func (n *Node) newCore(
	frontiers []store.Frontier, notes []store.Note, confirmed rescind.Millis, members *gossip.Membership,
) *gossip.Core {
	id := n.store.Identity()
	known := make(map[gossip.Origin]gossip.Position, len(frontiers))
	for _, f := range frontiers {
		known[gossip.Origin(f.Origin)] = gossip.Position(f.Position)
	}
	fates := make(map[gossip.Origin]gossip.Note, len(notes))
	for _, m := range notes {
		fates[gossip.Origin(m.Origin)] = gossip.Note{Name: m.Name, Fate: gossip.Fate(m.Fate), Epoch: m.Epoch, Heard: m.Heard}
	}
	return gossip.New(gossip.Config{
		Origin: gossip.Origin(id.Origin), Key: id.Key, Epoch: id.Epoch, Name: n.cfg.Name,
		Previous: gossip.Position(id.Previous), Frontiers: known, Notes: fates, Complete: id.Complete || n.shared != nil,
		ForgetAfter: n.policy.Load().ForgetAfter, Confirmed: confirmed, Members: members,
	}, steady(), rescind.MillisOf(n.cfg.now()))
}

// writeCommits makes commits durable, one at a time. What arrives meanwhile
// makes up the next: a group commit. What is under way when ctx ends has a little
// longer.
func (n *Node) writeCommits(ctx context.Context) {
	ctx, cancel := lingering(ctx, handOver)
	defer cancel()
	for c := range n.commits {
		n.committed <- n.write(ctx, c)
	}
}

// write commits c. What a slow disk has let grow beyond one batch goes in
// several; the last one holds the numbers and frontiers that say so.
func (n *Node) write(ctx context.Context, c *gossip.Commit) error {
	b := n.batch(c)
	for len(b.Records) > store.MaxBatch {
		if err := n.store.Commit(ctx, store.Batch{Records: b.Records[:store.MaxBatch]}); err != nil {
			return err
		}
		b.Records = b.Records[store.MaxBatch:]
	}
	return n.store.Commit(ctx, b)
}

// batch gives each record the times that the set holds by now, so that the
// disk keeps the join whatever the order of writes.
func (n *Node) batch(c *gossip.Commit) store.Batch {
	b := store.Batch{Own: c.Own, Records: c.Records, Complete: c.Complete}
	for i, r := range b.Records {
		if joined, ok := n.set.Lookup(r.Digest); ok {
			b.Records[i] = joined.Join(r)
		}
	}
	for o, at := range c.Frontiers {
		b.Frontiers = append(b.Frontiers, store.Frontier{Origin: uint64(o), Position: store.Position(at)})
	}
	for o, m := range c.Notes {
		b.Notes = append(b.Notes, store.Note{Origin: uint64(o), Name: m.Name, Fate: uint8(m.Fate), Epoch: m.Epoch, Heard: m.Heard})
	}
	if c.Roll != nil {
		b.Roll = c.Roll.Encode()
	}
	for _, o := range c.Forget {
		b.Forget = append(b.Forget, uint64(o))
	}
	return b
}

// sweep forgets what has lapsed, in memory a little at a time, on disk later and by
// whole ranges, unless the clock that says so is in doubt. Now and then it looks
// whether memory still holds what its sums say.
func (n *Node) sweep(ctx context.Context, clock diskClock) {
	memory, disk, audit := time.NewTicker(sweepEvery), time.NewTicker(dropEvery), time.NewTicker(auditEvery)
	defer memory.Stop()
	defer disk.Stop()
	defer audit.Stop()
	dropped := steady()
	for turn, audited := uint64(0), uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-memory.C:
			if now, trusted := n.lapsing(); trusted {
				n.counters.swept.Add(uint64(n.set.Sweep(turn, now)))
				turn++
			}
		case <-audit.C:
			if !n.set.Audit(audited) {
				n.counters.unsound.Add(1)
				n.log.Error("a part of the set in memory is not what was put there; it is compared with the peers'")
			}
			audited++
		case <-disk.C:
			now := steady()
			if err := n.dropLapsed(ctx, &clock, now-dropped); err != nil {
				n.fail(err)
				return
			}
			dropped = now
		}
	}
}

// loop is the part of a node that its one goroutine owns.
type loop struct {
	*Node
	core      *gossip.Core
	loaded    time.Duration // when the disk was loaded
	lastHeard time.Duration // of any peer
	readAsOf  time.Duration // all that was acknowledged by then has been read in the shared log
	fromLog   bool          // the shared log alone has told this node all that there is
	warned    bool          // that it serves without having met a peer
	told      states        // to whoever watches
	due       *time.Timer   // when the core has a commit
	looked    time.Duration // at the staleness bound
	limited   time.Duration // when the carriers were asked for their limits
	gaps      gaps
	quorum    *gossip.Quorum // of named members, as last looked at
	quorumAt  time.Duration
}

func (l *loop) run(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	l.due = time.NewTimer(time.Hour)
	defer l.due.Stop()
	for {
		proposals := l.proposals
		if l.core.Full() {
			proposals = nil // their callers wait for the disk
		}
		select {
		case <-ctx.Done():
			l.core.Leave()
			l.work()
			return
		case p := <-proposals:
			l.propose(p)
		case m := <-l.inbox.messages:
			l.step(m)
		case o := <-l.readers.done:
			o.deliver()
		case err := <-l.committed:
			if err != nil {
				l.fail(fmt.Errorf("write revocations to disk: %w", err))
				<-ctx.Done()
				return
			}
			l.counters.commits.Add(1)
			l.core.Advance()
			l.acks.durable(l.core.Durable())
		case o := <-l.orders:
			o.done <- o.do(l.core)
		case <-l.due.C: // work asks the core
		case <-l.vouched:
			l.vouchFor()
		case <-tick.C:
			l.core.SetForgetAfter(l.policy.Load().ForgetAfter)
			l.core.Tick(steady(), rescind.MillisOf(l.cfg.now()))
			l.publish()
			if l.core.Superseded() {
				l.fail(errors.New("the cluster knows a later epoch of this data folder: another process runs from a copy of it, or it was restored while the clock was behind; give each node a folder of its own, or an empty one"))
				<-ctx.Done()
				return
			}
			if l.core.Replaced() {
				l.fail(fmt.Errorf("another folder has taken the name %s: a majority of the members counts that one; empty this folder, or give this node another name", l.cfg.Name))
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
		l.counters.accepted[q.record.Digest.Scope()].Add(1)
	}
	last := l.core.Propose(records)
	for i, q := range waiting {
		l.acks.enter(q.waiter, last-uint64(len(waiting)-1-i))
	}
	l.counters.revoked.Add(uint64(len(waiting)))
}

// step takes m and whatever else has arrived.
func (l *loop) step(m arrival) {
	now := steady()
	for i := 0; ; i++ {
		l.inbox.taken(m)
		l.core.Step(now, m.Message)
		if i == drain {
			return
		}
		select {
		case m = <-l.inbox.messages:
		default:
			return
		}
	}
}

// work does what the core orders, in the order that gossip states.
func (l *loop) work() {
	now := steady()
	r := l.core.Ready(now)
	l.apply(r.Apply)
	l.heal(r.Heal)
	for _, a := range r.Acks {
		l.acks.acked(a, l.measured.window)
	}
	l.confirm()
	for _, out := range r.Send {
		l.move(out)
	}
	if r.Commit != nil {
		// What was just handed to the carriers goes first: it takes
		// microseconds until it is on the wire, and the disk keeps this
		// processor for longer.
		runtime.Gosched()
		l.commits <- r.Commit // never blocks: one is under way at most
	}
	if r.Due != 0 {
		l.due.Reset(r.Due - now)
	}
	l.orderReads(r)
}

// apply puts records of others in force.
func (n *Node) apply(records []rescind.Record) (news int) {
	for _, r := range records {
		if _, changed := n.merge(r); changed {
			n.counters.applied.Add(1)
			news++
		}
	}
	return news
}

// heal merges what comparisons have found to be missing, but not what this
// node has forgotten because its time is over: a member whose clock is behind
// may still hold that.
func (l *loop) heal(records []rescind.Record) {
	now, trusted := l.lapsing()
	for _, rec := range records {
		if trusted && rec.Lapsed(now) {
			continue
		}
		if _, changed := l.merge(rec); changed {
			l.counters.healed.Add(1)
		}
	}
}
