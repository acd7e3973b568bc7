package store_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind"
	"rescind/internal/store"
	"rescind/internal/store/storetest"
)

// disk is a store as the suite knows it.
type disk struct{ *store.Store }

func (d disk) Load(_ context.Context, now rescind.Millis, yield func(rescind.Record)) ([]store.Frontier, error) {
	return d.Store.Load(now, yield)
}
func (d disk) Commit(_ context.Context, b store.Batch) error    { return d.Store.Commit(b) }
func (d disk) Drop(_ context.Context, now rescind.Millis) error { return d.Store.Drop(now) }

// folder is a folder on a disk whose power can be taken.
type folder struct {
	fs  *vfs.MemFS
	rng *rand.Rand
}

func (f *folder) Open(t storetest.T) storetest.Store {
	t.Helper()
	s, err := store.Open("data", store.Options{Logger: slog.New(slog.DiscardHandler), FS: f.fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return disk{s}
}

// Crash loses some of what was not synced. The store that was open goes on
// with a disk that nobody looks at any more.
func (f *folder) Crash(storetest.T) {
	f.fs = f.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: f.rng.IntN(3) * 50, RNG: f.rng})
}

func TestSuite(t *testing.T) {
	seed := uint64(0)
	storetest.Run(t, storetest.Backend{
		New: func(storetest.T) storetest.Place {
			seed++
			return &folder{vfs.NewCrashableMem(), rand.New(rand.NewPCG(seed, 3))}
		},
		BucketWidth: store.BucketWidth,
		Whole:       true,
		Crashes:     10,
	})
}
