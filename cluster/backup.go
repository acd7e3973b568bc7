package cluster

import (
	"context"
	"fmt"
	"io"
	"time"

	"rescind"
	"rescind/gossip/carrier"
	"rescind/internal/backup"
)

// Restored says what became of a backup.
type Restored struct {
	Taken   time.Time // when it was made
	Records int       // that it holds
	Lapsed  int       // of them, whose tokens have all expired meanwhile; they are left out
}

// Backup writes all revocations that this node holds to w: those acknowledged
// anywhere that had arrived here when it was called, and some of those that come
// meanwhile. It may take as long as w does and keeps nobody waiting. The file holds
// digests and not identifiers, is sealed with the cluster's key and without its
// end useless.
func (n *Node) Backup(ctx context.Context, w io.Writer) (records int, err error) {
	if n.view.Load() == nil {
		return 0, rescind.ErrNotReady
	}
	sealer, check, err := n.backupSeal()
	if err != nil {
		return 0, err
	}
	out, err := backup.NewWriter(w, sealer, check)
	if err != nil {
		return 0, err
	}
	at := rescind.MillisOf(time.Now())
	for cursor, done := (rescind.Digest{}), false; !done; {
		if err := context.Cause(ctx); err != nil {
			return 0, fmt.Errorf("write the backup: %w", err)
		}
		var part []rescind.Record
		if part, cursor, done = n.set.Scan(cursor, backup.FrameRecords); len(part) == 0 {
			continue
		}
		for len(part) > 0 { // more than asked for only where they share half a digest
			size := min(len(part), backup.FrameRecords)
			if err := out.Add(part[:size]); err != nil {
				return 0, err
			}
			part = part[size:]
		}
	}
	count, err := out.End(at)
	return int(count), err
}

// Restore merges a backup of this cluster, which is safe at any time: what this
// node knows better stays. It returns once all of it is durable here, and it
// spreads like any revocation. Nothing but revocations comes back: the node is who
// it is.
//
// An error of package backup says that the file is of another cluster, cut off or
// forged; what came before, and was authentic, has been merged. Other errors are
// those of Revoke.
func (n *Node) Restore(ctx context.Context, r io.Reader) (Restored, error) {
	if err := n.accepting(); err != nil {
		return Restored{}, err
	}
	sealer, check, err := n.backupSeal()
	if err != nil {
		return Restored{}, err
	}
	lapsed := 0
	at, count, err := backup.Read(r, sealer, check, func(records []rescind.Record) error {
		now := rescind.MillisOf(time.Now())
		live := records[:0]
		for _, rec := range records {
			if rec.Lapsed(now) {
				lapsed++
				continue
			}
			live = append(live, rec)
		}
		return n.readmit(ctx, live)
	})
	return Restored{Taken: at.Time(), Records: int(count), Lapsed: lapsed}, err
}

// readmit puts records into the set and this node's stream, and waits until all
// are durable.
func (n *Node) readmit(ctx context.Context, records []rescind.Record) error {
	waiters := make([]*waiter, 0, len(records))
	for _, rec := range records {
		joined, err := n.readmitOne(rec)
		if err != nil {
			return err
		}
		w := newWaiter(time.Now(), rescind.AckLocal, nil)
		if err := n.propose(ctx, joined, w); err != nil {
			return err
		}
		waiters = append(waiters, w)
	}
	for _, w := range waiters {
		if err := n.awaitDisk(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// readmitOne joins a record into the set, within the limit. A use of a one-time
// token is compared with those of this node, as if another had sent it, and so
// is not refused for want of room: to forget a use is worse.
func (n *Node) readmitOne(rec rescind.Record) (rescind.Record, error) {
	if _, used := rec.Use(); used {
		joined, _ := n.merge(rec)
		return joined, nil
	}
	return n.accept(rec)
}

func (n *Node) backupSeal() (*carrier.Sealer, [16]byte, error) {
	sealer, err := carrier.NewSealer(carrier.DeriveKey(n.cfg.secret(), "backup"), n.cfg.Cluster)
	if err != nil {
		return nil, [16]byte{}, fmt.Errorf("prepare the seal of the backup: %w", err)
	}
	return sealer, keyCheckOf(digestKeyOf(n.cfg.secret(), n.cfg.Cluster)), nil
}
