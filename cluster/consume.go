package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rescind"
	"rescind/gossip/carrier"
	"rescind/internal/onetime"
)

// Consume uses up a one-time token whose signature and times have been
// verified. It returns nil for the first use, once that is on this node's disk,
// and spreads it; from then on checks refuse the token, on each node as soon as
// the use has arrived there. A token without a jti is named as in Revoke.
//
// With rescind.Available the first use is the first that this node knows of.
// Two nodes may each accept one while neither has heard of the other's; that is
// found out when the uses meet, see DoubleUse. With rescind.Strict at most one
// use in the cluster succeeds, and none where the shared store can't decide.
// Use one mode for one kind of token: strict uses know of available ones only
// what has arrived.
//
// Errors: rescind.ErrConsumed, ErrRevoked, ErrUndecided, ErrStrictOff,
// ErrStale where stale checks are rejected, those of Revoke, and
// *rescind.InvalidError. After ErrUndecided, the end of ctx or a failed disk the
// token may be used up without a winner; nothing gives it back.
func (n *Node) Consume(ctx context.Context, t rescind.Token, mode rescind.Mode) error {
	err := n.consume(ctx, t, mode)
	if err != nil {
		n.counters.consumeDenied.count(err)
	}
	switch {
	case err == nil:
		n.counters.consumed.Add(1)
	case errors.Is(err, rescind.ErrConsumed), errors.Is(err, rescind.ErrRevoked):
		n.counters.consumeRefused.Add(1)
	case errors.Is(err, rescind.ErrUndecided):
		if c := n.counters.consumeUndecided.Add(1); c&(c-1) == 0 { // 1, 2, 4, 8, ...: a bounded rate
			n.log.Warn("a strict one-time token could not be decided about", "error", err, "so_far", c)
		}
	}
	return err
}

func (n *Node) consume(ctx context.Context, t rescind.Token, mode rescind.Mode) error {
	switch {
	case !mode.Valid():
		return &rescind.InvalidError{Field: "mode", Problem: "must be available or strict"}
	case mode == rescind.Strict && n.onetime == nil:
		return rescind.ErrStrictOff
	}
	if err := n.accepting(); err != nil {
		return err
	}
	start := time.Now()
	record, use, err := n.useOf(&t, start)
	if err != nil {
		return err
	}
	if err := n.usable(t, record.Digest); err != nil {
		return err
	}
	if mode == rescind.Strict {
		err = n.claim(ctx, record, use)
	}
	if err == nil {
		record, err = n.enterUse(record, use, n.sessionOf(&t, start), mode)
	}
	if err != nil {
		return err
	}
	return n.keepUse(ctx, start, record)
}

// useOf returns the record of a use of t on this node now.
func (n *Node) useOf(t *rescind.Token, now time.Time) (rescind.Record, rescind.Use, error) {
	rev := rescind.Revocation{
		Key:       rescind.Key{Scope: rescind.ScopeJTI, Issuer: t.Issuer, ID: t.ID},
		ExpiresAt: t.ExpiresAt.Time(),
	}
	if err := rev.Key.Validate(); err != nil {
		return rescind.Record{}, rescind.Use{}, err
	}
	_, expires, err := rev.Times(now, n.cfg.MaxLifetime)
	if err != nil {
		return rescind.Record{}, rescind.Use{}, err
	}
	use := rescind.Use{At: rescind.MillisOf(now), Node: n.useNode()}
	return rescind.Record{Digest: n.set.Digest(rev.Key), IssuedBefore: use.IssuedBefore(), ExpiresAt: expires}, use, nil
}

func (n *Node) useNode() uint32 { return rescind.NodeOf(n.store.Identity().Origin) }

// usable refuses what is known here to be used or revoked, and everything where
// this node can't know.
func (n *Node) usable(t rescind.Token, d rescind.Digest) error {
	switch n.Check(t) {
	case rescind.Valid:
		return nil
	case rescind.Revoked:
		// After the check, or a use that arrived in between would look like a
		// revocation.
		held, _ := n.set.Lookup(d)
		if _, used := held.Use(); used {
			return rescind.ErrConsumed
		}
		return rescind.ErrRevoked
	case rescind.Stale:
		return rescind.ErrStale
	default:
		return rescind.ErrNotReady
	}
}

// claim asks the shared store. A use that lost may be the first that this node
// hears of the winner's, whose node may have died before it could tell.
func (n *Node) claim(ctx context.Context, record rescind.Record, use rescind.Use) error {
	if err := n.oneStore(ctx); err != nil {
		return err
	}
	out, err := n.onetime.Claim(ctx, record.Digest, use, record.ExpiresAt)
	if err != nil {
		return err
	}
	if out.Won {
		return nil
	}
	if out.Use != (rescind.Use{}) {
		record.IssuedBefore = out.Use.IssuedBefore()
		if _, changed := n.merge(record); changed {
			if err := n.keepUse(ctx, time.Now(), record); err != nil {
				n.log.Warn("could not keep that a one-time token was used elsewhere; the shared store still knows", "error", err)
			}
		}
	}
	return rescind.ErrConsumed
}

// enterUse puts a use into the set, in mode Available only if there is none.
func (n *Node) enterUse(record rescind.Record, use rescind.Use, session rescind.Record, mode rescind.Mode) (rescind.Record, error) {
	n.uses.mu.Lock()
	defer n.uses.mu.Unlock()
	held, found := n.set.Lookup(record.Digest)
	other, used := held.Use()
	if mode == rescind.Available && used {
		return record, rescind.ErrConsumed
	}
	if mode == rescind.Available && found && held.IssuedBefore == rescind.Ever {
		return record, rescind.ErrRevoked
	}
	if mode == rescind.Available {
		if _, err := n.accept(record); err != nil {
			return record, err
		}
	} else {
		joined, _ := n.set.Merge(record) // the claim is won: the limit comes too late
		n.noticed(joined, true)
	}
	n.uses.enterLocked(record.Digest, &ownUse{use: use, session: session})
	if used {
		n.meetLocked(record, other)
	}
	return record, nil
}

// keepUse makes a use durable here and spreads it.
func (n *Node) keepUse(ctx context.Context, start time.Time, record rescind.Record) error {
	w := newWaiter(start, rescind.AckLocal, nil)
	if err := n.propose(ctx, record, w); err != nil {
		return err
	}
	return n.await(ctx, w)
}

// sessionOf returns the revocation of t's session, for RevokeDoubleUsed, or a
// record without a digest. The identifier itself is not kept.
func (n *Node) sessionOf(t *rescind.Token, now time.Time) rescind.Record {
	rev := rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSID, Issuer: t.Issuer, ID: t.Session}}
	if !n.cfg.RevokeDoubleUsed || rev.Validate() != nil {
		return rescind.Record{}
	}
	before, expires, err := rev.Times(now, n.cfg.MaxLifetime)
	if err != nil {
		return rescind.Record{}
	}
	return rescind.Record{Digest: n.set.Digest(rev.Key), IssuedBefore: before, ExpiresAt: expires}
}

// checkOneTime refuses settings under which two nodes could ask two stores.
func (c Config) checkOneTime() error {
	switch {
	case c.OneTime == nil:
		return nil
	case c.NATS == nil:
		return errors.New("cluster: Config.OneTime needs Config.NATS: strict one-time tokens are decided by a NATS server that all nodes share")
	case c.Gossip != nil && c.NATS.URL == "":
		return errors.New("cluster: with Config.OneTime set Config.NATS.URL to the one server that all nodes share, also on the node that embeds it; nodes that each ask their own could accept one token twice")
	}
	return nil
}

func (n *Node) openOneTime(nats carrier.NATSConfig) error {
	c := n.cfg.OneTime
	if c == nil {
		return nil
	}
	store, err := onetime.Open(onetime.Config{
		Cluster: n.cfg.Cluster, URL: nats.URL, Login: nats.Login,
		Buckets: c.Buckets, Replicas: c.Replicas,
		SyncingServer: carrier.SyncingServer, DangerouslyAssumeSync: c.DangerouslyAssumeSync,
		Logger: n.log,
	})
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	n.onetime = store
	return nil
}
