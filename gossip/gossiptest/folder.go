package gossiptest

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind"
	"rescind/gossip"
	"rescind/internal/store"
)

// folder is a node's data folder, in the days that have real ones: the real
// store on a file system that can lose power. The node's disk then says what the
// folder must hold.
type folder struct {
	fs    *vfs.MemFS
	old   *vfs.MemFS // some earlier copy
	store *store.Store
}

func newFolder() *folder {
	return &folder{fs: vfs.NewCrashableMem(), old: vfs.NewCrashableMem()}
}

// openFolder opens n's folder as a process does, and holds what is in it against
// n.disk, whose next epoch has begun. It returns the content.
func (s *Sim) openFolder(n *node, previous gossip.Position) (disk, error) {
	var err error
	n.folder.store, err = store.Open("data", store.Options{
		FS: n.folder.fs, Logger: slog.New(slog.DiscardHandler), MemTable: 256 << 10,
		Now: func() time.Time { return time.UnixMilli(s.now.Milliseconds()) },
	})
	if err != nil {
		return disk{}, err
	}
	found := emptyDisk()
	id := n.folder.store.Identity()
	found.epoch = id.Epoch
	frontiers, err := n.folder.store.Load(0, func(r rescind.Record) {
		found.records[r.Digest] = r.Join(found.records[r.Digest])
	})
	if err != nil {
		return disk{}, err
	}
	clock, err := n.folder.store.Clock()
	if err != nil {
		return disk{}, err
	}
	found.clock = cmp.Or(clock.Confirmed, n.disk.clock)
	for _, f := range frontiers {
		found.frontiers[gossip.Origin(f.Origin)] = gossip.Position(f.Position)
	}
	notes, err := n.folder.store.Notes()
	if err != nil {
		return disk{}, err
	}
	for _, m := range notes {
		found.notes[gossip.Origin(m.Origin)] = gossip.Note{Name: m.Name, Fate: gossip.Fate(m.Fate), Epoch: m.Epoch, Heard: m.Heard}
	}
	switch {
	case id.Epoch != n.disk.epoch || gossip.Position(id.Previous) != previous:
		return disk{}, fmt.Errorf("the folder of n%d begins epoch %d after %v, want %d after %v", n.index, id.Epoch, id.Previous, n.disk.epoch, previous)
	case !maps.Equal(found.notes, n.disk.notes):
		return disk{}, fmt.Errorf("the folder of n%d has the notes %v, want %v", n.index, found.notes, n.disk.notes)
	case !maps.Equal(found.frontiers, n.disk.frontiers):
		return disk{}, fmt.Errorf("the folder of n%d has the frontiers %v, want %v", n.index, found.frontiers, n.disk.frontiers)
	}
	return found, s.checkFolder(n, found)
}

// checkFolder reports a record that was committed, is still needed, and is not
// in n's folder, and one that is and that nobody revoked.
func (s *Sim) checkFolder(n *node, found disk) error {
	for d, r := range n.disk.records {
		if onDisk := found.records[d]; r.Join(onDisk) != onDisk && r.ExpiresAt.Add(required) > s.trueTime() {
			return fmt.Errorf("at %v: the folder of n%d has %v for %v, committed were %v", s.now, n.index, onDisk, d, r)
		}
	}
	for d, r := range found.records {
		if r.Join(s.written[d]) != s.written[d] {
			return fmt.Errorf("at %v: the folder of n%d has %v, which nobody revoked", s.now, n.index, r)
		}
	}
	return nil
}

// commitToFolder makes c durable in n's folder, with the times that the set
// holds by now, as a node does.
func (n *node) commitToFolder(c *gossip.Commit) error {
	b := store.Batch{Own: c.Own}
	for _, r := range c.Records {
		if joined, ok := n.set.Lookup(r.Digest); ok {
			r = joined.Join(r)
		}
		b.Records = append(b.Records, r)
	}
	for o, at := range c.Frontiers {
		b.Frontiers = append(b.Frontiers, store.Frontier{Origin: uint64(o), Position: store.Position(at)})
	}
	for o, m := range c.Notes {
		b.Notes = append(b.Notes, store.Note{Origin: uint64(o), Name: m.Name, Fate: uint8(m.Fate), Epoch: m.Epoch, Heard: m.Heard})
	}
	for _, o := range c.Forget {
		b.Forget = append(b.Forget, uint64(o))
	}
	return n.folder.store.Commit(b)
}

// copyFolder keeps a copy for a rollback.
func (n *node) copyFolder() {
	n.folder.old = n.folder.fs.CrashClone(vfs.CrashCloneCfg{})
}

// losePower ends the store's process. Of what was written and not synced, a
// random part is on the disk.
func (s *Sim) losePower(n *node) error {
	kept := n.folder.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: s.rng.IntN(101), RNG: s.rng})
	err := n.folder.store.Close()
	n.folder.fs, n.folder.store = kept, nil
	return err
}

// close ends what is open.
func (s *Sim) close() error {
	var errs []error
	for _, n := range s.nodes {
		if n.folder != nil && n.folder.store != nil {
			errs = append(errs, n.folder.store.Close())
		}
	}
	return errors.Join(errs...)
}
