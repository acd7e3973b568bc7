package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rescind"
	"rescind/gossip"
)

// ackTimeout bounds the wait for other nodes where the caller's context has no
// deadline.
const ackTimeout = 5 * time.Second

// Revoke puts a revocation in force. It returns nil once the revocation is on
// this node's disk and on those of as many others as ack asks for. From the
// moment of the call, checks here refuse what it covers.
//
// If ctx ends while others are awaited, the error is rescind.ErrUnconfirmed and
// the receipt says who has acknowledged; the revocation stands and goes on
// spreading. With any other error it was not accepted, or, if ctx ended before
// the local disk answered, its fate is unknown; revoking again is harmless.
// Errors: *rescind.InvalidError, rescind.ErrFull, ErrNotReady (the disk is not
// loaded yet, or the clock is off), ErrIsolated, ErrClosed, or ErrUnavailable with
// the disk's failure; with Config.SharedLog also ErrUnavailable while the stream
// does not answer, or ErrFull of the stream: then it is in force here and spreads,
// and its fate is unknown.
func (n *Node) Revoke(ctx context.Context, rev rescind.Revocation, ack rescind.Ack) (rescind.Receipt, error) {
	receipt, err := n.revoke(ctx, rev, ack)
	if err != nil && !errors.Is(err, rescind.ErrUnconfirmed) {
		n.counters.revokeRefused.count(err)
	}
	return receipt, err
}

func (n *Node) revoke(ctx context.Context, rev rescind.Revocation, ack rescind.Ack) (rescind.Receipt, error) {
	start := time.Now()
	if err := n.accepting(); err != nil {
		return rescind.Receipt{}, err
	}
	if err := rev.Key.Validate(); err != nil {
		return rescind.Receipt{}, err
	}
	if err := ack.Validate(); err != nil {
		return rescind.Receipt{}, err
	}
	before, expires, err := rev.Times(start, n.cfg.MaxLifetime)
	if err != nil {
		return rescind.Receipt{}, err
	}
	if rev.ExpiresAt.IsZero() {
		expires = roundUp(expires, expiryStep(n.cfg.MaxLifetime))
	}
	record := rescind.Record{Digest: n.set.Digest(rev.Key), IssuedBefore: before, ExpiresAt: expires}
	record, changed, err := n.acceptFrom(rev.Issuer, record, rescind.ByAdministrator(ctx))
	if err != nil {
		return rescind.Receipt{}, err
	}
	if ack == rescind.AckDefault {
		ack = n.policy.Load().Ack
	}
	// A record that was known already is proposed again, unless this node knows
	// that it is durable where it should be: whoever asks must learn that, and the
	// first proposal may still be under way.
	w := n.waiterFor(start, ack)
	if changed || !n.repeats.answers(record, w) {
		w = n.waiterFor(start, ack)
		if err := n.propose(ctx, record, w); err != nil {
			return rescind.Receipt{}, err
		}
		err = n.await(ctx, w)
		if err == nil || errors.Is(err, rescind.ErrUnconfirmed) {
			n.repeats.remember(record, w)
		}
	}
	receipt := w.receipt()
	if err != nil {
		receipt.Reason = n.uncounted(ack)
	}
	receipt.Digest, receipt.IssuedBefore, receipt.ExpiresAt = record.Digest, record.IssuedBefore, record.ExpiresAt
	id := n.store.Identity()
	receipt.Version = version{gossip.Origin(id.Origin), gossip.Position{Epoch: id.Epoch, Seq: w.number()}}.String()
	return receipt, err
}

func (n *Node) waiterFor(start time.Time, ack rescind.Ack) *waiter {
	w := newWaiter(start, ack, n.listed())
	if n.named() {
		n.stored.concern(w, ack)
		return w
	}
	if (ack == rescind.AckAll || ack == rescind.AckMajority) && !n.ready.Load() && !n.cfg.first() {
		w.need = n.onceReady(ack)
	}
	n.onceCounted(w, ack)
	return w
}

// onceReady is what all and majority need where a node that looks for its peers is
// asked. It may list nobody because it has met nobody yet, and nobody is not all:
// they are counted when it is ready.
func (n *Node) onceReady(ack rescind.Ack) func(*waiter) bool {
	return func(w *waiter) bool {
		if !n.ready.Load() {
			return false
		}
		w.missing = n.listed()
		others := len(w.missing)
		for _, o := range w.origins {
			delete(w.missing, o)
		}
		if ack == rescind.AckAll {
			return len(w.missing) == 0
		}
		return others-len(w.missing) >= (others+1)/2
	}
}

// propose puts a record that the set holds already into this node's stream. While
// the store is in trouble, it does not wait for room there.
func (n *Node) propose(ctx context.Context, record rescind.Record, w *waiter) error {
	p := &proposal{record, w}
	for {
		changed, trouble := n.store.Trouble()
		if trouble != nil {
			select {
			case n.proposals <- p:
				return nil
			default:
				return unavailable(trouble)
			}
		}
		select {
		case n.proposals <- p:
			return nil
		case <-changed:
		case <-n.failed:
			return n.unstored()
		case <-n.stopped:
			return rescind.ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("put the revocation into the stream: %w", context.Cause(ctx))
		}
	}
}

// unstored is why a node that has failed accepts nothing, as its callers may see
// it: another node can do what this one can't.
func (n *Node) unstored() error {
	return fmt.Errorf("%w: %w", rescind.ErrUnavailable, n.failure)
}

// accept joins a record of this node's own into the set, within its limit, and
// tells whoever watches.
func (n *Node) accept(r rescind.Record) (joined rescind.Record, err error) {
	joined, changed, err := n.set.Add(r)
	if changed {
		n.noticed(joined, true)
	}
	return joined, err
}

func (n *Node) accepting() error {
	v := n.view.Load()
	switch {
	case n.closing.Load():
		return rescind.ErrClosed
	case n.Err() != nil:
		return n.unstored()
	case v == nil:
		return rescind.ErrNotReady
	case v.clockOff: // "now" would be wrong
		return fmt.Errorf("%w: its clock is more than %v off most of its peers'", rescind.ErrNotReady, rescind.MaxClockSkew)
	case n.isolated(), n.policy.Load().RefuseIsolated && !v.counted && !n.cfg.alone() && n.shared == nil:
		return rescind.ErrIsolated
	}
	return nil
}

// listed returns the names of the members that count.
func (n *Node) listed() map[gossip.Origin]string {
	v := n.view.Load()
	listed := make(map[gossip.Origin]string, len(v.members))
	for i, m := range v.members {
		switch {
		case m.Origin == 0:
			listed[gossip.Origin(i+1)] = m.Name // a named member that has not been met
		case n.named() || m.Counts && !m.Left:
			listed[m.Origin] = m.Name
		}
	}
	return listed
}

// await waits first for this node's disk, then for the others.
func (n *Node) await(ctx context.Context, w *waiter) error {
	if err := n.awaitDisk(ctx, w); err != nil {
		return err
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ackTimeout)
		defer cancel()
	}
	select {
	case <-w.confirmed:
		return nil
	case <-ctx.Done():
		n.acks.leave(w)
		return rescind.ErrUnconfirmed
	}
}

// awaitDisk waits for this node's disk. A deadline is for the others: one that
// ends before the disk has answered is overrun a little, since "not accepted"
// would be wrong and "accepted" not yet true.
func (n *Node) awaitDisk(ctx context.Context, w *waiter) error {
	done, cancel := ctx, context.CancelFunc(func() {})
	if _, bounded := ctx.Deadline(); bounded {
		done, cancel = afterDeadline(ctx, diskGrace)
	}
	defer cancel()
	for {
		changed, trouble := n.store.Trouble()
		if trouble != nil {
			select {
			case <-w.stored:
				return nil
			default:
				n.acks.leave(w)
				return unavailable(trouble)
			}
		}
		select {
		case <-w.stored:
			return nil
		case <-changed:
		case <-n.failed:
			return n.unstored()
		case <-n.stopped:
			return rescind.ErrClosed
		case <-done.Done():
			n.acks.leave(w)
			return fmt.Errorf("wait for the disk: %w", context.Cause(done))
		}
	}
}

// diskGrace is how long a deadline is overrun for the local disk.
const diskGrace = time.Second

// afterDeadline returns a context that is cancelled with ctx, and whose deadline
// is later.
func afterDeadline(ctx context.Context, later time.Duration) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	extended, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(later))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return extended, func() { stop(); cancel() }
}
