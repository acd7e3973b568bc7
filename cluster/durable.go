package cluster

import (
	"context"
	"crypto/sha256"
	"fmt"

	"rescind"
	"rescind/gossip/carrier"
	"rescind/internal/sharedlog"
	"rescind/internal/store"
)

// durable is where records are kept: this node's disk, or the shared log. What
// Commit has returned nil for, Load yields after a kill of every node.
type durable interface {
	Identity() store.Identity
	Load(ctx context.Context, now rescind.Millis, yield func(rescind.Record)) ([]store.Frontier, error)
	Commit(ctx context.Context, b store.Batch) error
	Drop(ctx context.Context, now rescind.Millis) error
	Stats() store.Stats

	// Supersede notes durably that another process has gone on from a copy.
	Supersede() error

	// Notes returns what Commit was given of members.
	Notes() ([]store.Note, error)

	// Clock returns what KeepClock stored, or something older.
	Clock() (store.Clock, error)
	KeepClock(c store.Clock) error

	// Trouble says why Commit does not return, if that may end by itself. changed
	// is closed when that is no longer the answer.
	Trouble() (changed <-chan struct{}, err error)

	Close() error
}

// disk is a data folder. It is read and written without regard to contexts,
// because a write that was begun can't be taken back.
type disk struct{ *store.Store }

func (d disk) Load(_ context.Context, now rescind.Millis, yield func(rescind.Record)) ([]store.Frontier, error) {
	return d.Store.Load(now, yield)
}

func (d disk) Commit(_ context.Context, b store.Batch) error { return d.Store.Commit(b) }

func (d disk) Drop(_ context.Context, now rescind.Millis) error { return d.Store.Drop(now) }

// Trouble is nil: a disk that fails stays failed.
func (disk) Trouble() (<-chan struct{}, error) { return nil, nil }

// logStore is the shared log. A node without a disk remembers no clock: it forgets
// nothing within its first hour. What is in the log is dropped by the servers' clock, too.
type logStore struct{ *sharedlog.Log }

func (logStore) Clock() (store.Clock, error) { return store.Clock{}, nil }

// Supersede does nothing: a node without a disk is a new origin at each start.
func (logStore) Supersede() error { return nil }

// Notes returns nothing: a node without a disk is a new origin at each start, and hears
// of the others from those that run.
func (logStore) Notes() ([]store.Note, error) { return nil, nil }

func (logStore) KeepClock(store.Clock) error { return nil }

// digestKeyOf derives the key of the digests. The number changes with what filter
// makes of it, and what was stored before is refused.
func digestKeyOf(secret []byte, cluster string) [32]byte {
	return carrier.DeriveKey(secret, "digest 4 of "+cluster)
}

// keyCheckOf tells, in what is stored, which digests it holds.
func keyCheckOf(digestKey [32]byte) [16]byte {
	check := sha256.Sum256(digestKey[:])
	return [16]byte(check[:16])
}

// openStore opens what the node is configured to keep its records in. keyCheck
// tells which cluster and key they belong to.
func (n *Node) openStore(keyCheck [16]byte) error {
	if n.cfg.SharedLog == nil {
		s, err := store.Open(n.cfg.DataDir, store.Options{KeyCheck: keyCheck, Logger: n.log})
		if err != nil {
			return fmt.Errorf("open the revocations in %s: %w", n.cfg.DataDir, err)
		}
		n.store = disk{s}
		return nil
	}
	sealer, err := carrier.NewSealer(carrier.DeriveKey(n.cfg.secret(), "shared log"), n.cfg.Cluster)
	if err != nil {
		return fmt.Errorf("prepare the seal of the shared log: %w", err)
	}
	c := n.cfg.SharedLog
	n.shared, err = sharedlog.Open(sharedlog.Config{
		Cluster: n.cfg.Cluster, URL: n.natsURL(), Login: n.cfg.NATS.login(),
		Stream: c.Stream, Domain: c.Domain, Replicas: c.Replicas, MaxBytes: c.MaxBytes,
		SyncingServer: carrier.SyncingServer, DangerouslyAssumeSync: c.DangerouslyAssumeSync,
		KeyCheck: keyCheck, Sealer: sealer, Steady: steady, Logger: n.log,
	})
	if err != nil {
		return fmt.Errorf("open %w", err)
	}
	n.store = logStore{n.shared}
	return nil
}
