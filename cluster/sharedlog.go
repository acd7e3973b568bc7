package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/sharedlog"
)

// SharedLog configures a node without a disk: what is revoked is kept in one
// JetStream stream, on the servers of Config.NATS, that all nodes of the cluster
// share. Each start is a new member; nothing in Config.DataDir is used. All nodes
// together may be gone and come back.
//
// A revocation is then durable when the stream has it, whoever else
// acknowledges: write concern says how many nodes refuse what it covers.
type SharedLog struct {
	Stream   string // its name; empty: rescind-log- and the cluster's
	Domain   string // the JetStream domain that it is in; empty: the servers' own
	Replicas int    // servers that hold it: 1, 3 or 5; 0 means 1. Counts when it is made
	MaxBytes int64  // at which it refuses more; 0 means 1 GiB. Counts when it is made

	// DangerouslyAssumeSync is OneTime's, for the servers that hold the stream:
	// without sync_interval: always a power failure can take acknowledged
	// revocations.
	DangerouslyAssumeSync bool
}

// checkSharedLog refuses settings under which nodes would write into several.
func (c Config) checkSharedLog() error {
	switch {
	case c.SharedLog == nil:
		return nil
	case c.NATS == nil:
		return errors.New("cluster: Config.SharedLog needs Config.NATS: the stream is on NATS servers that all nodes share")
	case c.Gossip != nil && c.NATS.URL == "":
		return errors.New("cluster: with Config.SharedLog set Config.NATS.URL to the servers that all nodes share, also on the node that embeds one")
	}
	return nil
}

// needsDataDir reports whether anything is kept on this node's disk.
func (c Config) needsDataDir() bool {
	return c.SharedLog == nil || c.NATS != nil && c.NATS.Embed != ""
}

// vouchFor tells the core what the shared log has brought.
func (l *loop) vouchFor() {
	positions, asOf := l.shared.Held()
	l.readAsOf = max(l.readAsOf, asOf)
	held := make(map[gossip.Origin]gossip.Position, len(positions))
	for o, at := range positions {
		held[gossip.Origin(o)] = gossip.Position(at)
	}
	l.core.Vouch(steady(), asOf, held)
}

// follow merges what others write into the shared log.
func (n *Node) follow(ctx context.Context) {
	n.shared.Follow(ctx, func(r rescind.Record) {
		if _, changed := n.merge(r); changed {
			n.counters.applied.Add(1)
		}
	}, n.holding, func() {
		select {
		case n.vouched <- struct{}{}:
		default: // there is news to be told already
		}
	})
}

// settle is for how long a node without peers reads on in the shared log before
// it is ready: nodes that run would have written a mark meanwhile, and with it
// whether the stream lacks something.
const settle = 3 * sharedlog.DefaultMarkEvery

// readFromLog reports whether this node knows all that was acknowledged by the
// shared log alone: it has read a mark of its own there, and nobody is heard who
// might know more. Where the stream is new, somebody with a disk may be about to
// be heard.
func (l *loop) readFromLog(v *view) bool {
	wait := settle
	if l.shared.Blank() && !l.cfg.Bootstrap {
		wait = max(settle, l.cfg.JoinTimeout)
	}
	if !l.fromLog && l.readAsOf >= l.loaded+wait && !v.hearsPeer() && l.shared.Whole() {
		l.fromLog = true
		l.core.Found()
	}
	v.synced = v.synced || l.fromLog
	return l.fromLog
}

// hearsPeer reports whether a peer is being heard that hears us.
func (v *view) hearsPeer() bool {
	for _, m := range v.members {
		if m.Alive && m.Echoes {
			return true
		}
	}
	return false
}

// holding yields all that this node holds.
func (n *Node) holding(yield func(rescind.Record) bool) {
	for cursor, done := (rescind.Digest{}), false; !done; {
		var part []rescind.Record
		part, cursor, done = n.set.Scan(cursor, scanPart)
		for _, r := range part {
			if !yield(r) {
				return
			}
		}
	}
}

// unavailable is why a revocation is not acknowledged although this node and
// others know it. The store keeps it once it can, unless all of them end before.
func unavailable(cause error) error {
	if errors.Is(cause, sharedlog.ErrFull) {
		return fmt.Errorf("%w: %w: %w", rescind.ErrFull, rescind.ErrStoreFull, cause)
	}
	return fmt.Errorf("%w: %w", rescind.ErrUnavailable, cause)
}

// troubleKind is the kind of what keeps the store from taking anything.
func troubleKind(trouble error) ReasonKind {
	is := func(errs ...error) bool {
		return slices.ContainsFunc(errs, func(err error) bool { return errors.Is(trouble, err) })
	}
	switch {
	case is(sharedlog.ErrFull):
		return ReasonStoreFull
	case is(sharedlog.ErrReplaced, sharedlog.ErrLost):
		return ReasonStoreLost
	case is(sharedlog.ErrDenied, sharedlog.ErrRefused, sharedlog.ErrTooOld, sharedlog.ErrOff, sharedlog.ErrQuota, sharedlog.ErrWrongStream, sharedlog.ErrMayNotSync):
		return ReasonStoreUnfit
	}
	return ReasonStoreAway
}

// lingering returns a context that ends some time after ctx.
func lingering(ctx context.Context, later time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(later)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}
