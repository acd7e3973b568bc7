package cluster

import (
	"context"
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
// loaded yet), ErrIsolated, ErrClosed, or the disk's failure.
func (n *Node) Revoke(ctx context.Context, rev rescind.Revocation, ack rescind.Ack) (rescind.Receipt, error) {
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
	record, _, err := n.set.Add(rescind.Record{Digest: n.set.Digest(rev.Key), IssuedBefore: before, ExpiresAt: expires})
	if err != nil {
		return rescind.Receipt{}, err
	}
	if ack == rescind.AckDefault {
		ack = n.cfg.Ack
	}
	// A record that was known already is proposed again: whoever asks must
	// learn that it is durable, and the first proposal may still be under way.
	w := newWaiter(start, ack, n.listed())
	if err := n.propose(ctx, record, w); err != nil {
		return rescind.Receipt{}, err
	}
	err = n.await(ctx, w)
	receipt := w.receipt()
	receipt.Digest, receipt.IssuedBefore, receipt.ExpiresAt = record.Digest, record.IssuedBefore, record.ExpiresAt
	id := n.store.Identity()
	receipt.Version = version{gossip.Origin(id.Origin), gossip.Position{Epoch: id.Epoch, Seq: w.seq}}.String()
	return receipt, err
}

// propose puts a record that the set holds already into this node's stream.
func (n *Node) propose(ctx context.Context, record rescind.Record, w *waiter) error {
	select {
	case n.proposals <- &proposal{record, w}:
		return nil
	case <-n.failed:
		return n.failure
	case <-n.stopped:
		return rescind.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("put the revocation into the stream: %w", context.Cause(ctx))
	}
}

func (n *Node) accepting() error {
	switch {
	case n.closing.Load():
		return rescind.ErrClosed
	case n.Err() != nil:
		return n.failure
	case n.view.Load() == nil:
		return rescind.ErrNotReady
	case n.isolated():
		return rescind.ErrIsolated
	}
	return nil
}

// listed returns the names of the members that count.
func (n *Node) listed() map[gossip.Origin]string {
	v := n.view.Load()
	listed := make(map[gossip.Origin]string, len(v.members))
	for _, m := range v.members {
		if !m.Left {
			listed[m.Origin] = m.Name
		}
	}
	return listed
}

// await waits first for this node's disk, then for the others.
func (n *Node) await(ctx context.Context, w *waiter) error {
	select {
	case <-w.stored:
	case <-n.failed:
		return n.failure
	case <-n.stopped:
		return rescind.ErrClosed
	case <-ctx.Done():
		n.acks.leave(w)
		return fmt.Errorf("wait for the disk: %w", context.Cause(ctx))
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
