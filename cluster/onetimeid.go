package cluster

import (
	"context"
	"fmt"
	"time"

	"rescind"
)

// Strict one-time tokens are decided by one store. Where nats.url names two
// servers that are no cluster, there are two, and each would let a token be used.
// So nodes tell each other which one they ask: its identity travels as a record
// like any other, under a key that no token has. Records merge by maximum, so
// whoever finds another identity than that of its own store decides nothing until
// that record has lapsed.

const (
	// storeLives is how long a node's word counts; each renews it well before.
	storeLives = 10 * time.Minute
	renewStore = time.Minute
)

// storeKey names the record. An issuer of tokens is a URL or a name of its own.
var storeKey = rescind.Key{Scope: rescind.ScopeJTI, Issuer: "rescind.invalid/one-time", ID: "store"}

// oneStore returns nil if no node has said lately that it asks another store than
// this node does, and has a majority of the nodes know which one that is.
func (n *Node) oneStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	id, err := n.onetime.Identity(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", rescind.ErrUndecided, err)
	}
	if err := n.sameStore(id); err != nil {
		return err
	}
	now := steady()
	last := time.Duration(n.storeTold.Load())
	if last != 0 && now-last < renewStore {
		return nil
	}
	// Past the limit: it is one record, and who consumes makes more.
	record, _ := n.set.Merge(rescind.Record{Digest: n.set.Digest(storeKey), IssuedBefore: id, ExpiresAt: rescind.MillisOf(time.Now().Add(storeLives))})
	w := newWaiter(time.Now(), rescind.AckMajority, n.listed())
	if err := n.propose(ctx, record, w); err != nil {
		return err
	}
	if err := n.await(ctx, w); err != nil {
		return fmt.Errorf("%w: not enough nodes have confirmed which store decides: %w", rescind.ErrUndecided, err)
	}
	n.storeTold.Store(int64(now))
	return n.sameStore(id)
}

// sameStore compares with what this node was told.
func (n *Node) sameStore(id rescind.Millis) error {
	held, found := n.set.Lookup(n.set.Digest(storeKey))
	if !found || held.IssuedBefore == id || held.ExpiresAt < rescind.MillisOf(time.Now()) {
		return nil
	}
	return fmt.Errorf("%w: another node asks another store (%x, and this one %x): nats.url must name one server, or servers that are one cluster, on all nodes; if the buckets were made anew, wait for %v", rescind.ErrUndecided, held.IssuedBefore, id, storeLives)
}
