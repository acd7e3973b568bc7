package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rescind"
)

// TestPowerCutAtEveryStep cuts the power before each operation on the disk, while a
// folder is made, opened again with a new manifest each time, written, and its
// tables are merged. The file system keeps no order: of what was not synced, each
// name and each block is there or not by chance. Every folder opens, and holds what
// was acknowledged before the cut.
func TestPowerCutAtEveryStep(t *testing.T) {
	var (
		mu      sync.Mutex
		acked   = set{} // guarded by mu
		cuts    int
		running sync.WaitGroup
		slots   = make(chan struct{}, 2)
		mem     = vfs.NewCrashableMem()
		rng     = rand.New(rand.NewPCG(7, 7)) // guarded by mu
	)
	const every = 7 // of the others; all of them on 2026-11-29, three times each: no folder was lost, two of 1,440 before
	steps := 0
	cut := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite && op.Kind != errorfs.OpOpenDir {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		// Where names change, all of them: what is lost there is the folder.
		names := namesOthers(op.Path) || filepath.Base(op.Path) == "data"
		if steps++; steps%every != 0 && !names {
			return nil
		}
		cutsHere := 1
		if names {
			cutsHere = 12
			if testing.Short() { // the race detector looks for something else
				cutsHere = 2
			}
		}
		what := fmt.Sprintf("cut %d, before %v of %s", steps, op.Kind, op.Path)
		want := set{}
		for _, r := range acked {
			want.join(r)
		}
		for range cutsHere {
			percent := []int{0, 50, 50, 90}[rng.IntN(4)]
			disk := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(rng.Uint64(), 1))})
			cuts++
			running.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				s, err := Open("data", Options{Logger: quiet, FS: disk})
				if err != nil {
					t.Errorf("%s, %d %% of what was not synced: %v", what, percent, err)
					return
				}
				defer s.Close()
				got, _, err := contents(s)
				for d, r := range want {
					if got[d] != r {
						t.Errorf("%s: %v is %v, want %v, %v", what, d, got[d], r, err)
						break
					}
				}
			})
		}
		return nil
	})
	for life := range uint64(4) {
		s, err := Open("data", Options{Logger: quiet, FS: errorfs.Wrap(mem, cut), MemTable: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(6) {
			b := Batch{Records: []rescind.Record{record(life*100+i, far)}, Own: i + 1}
			if i == 3 { // more than fits a table in memory
				for k := range uint64(3000) {
					b.Records = append(b.Records, record(1e6+life*1e5+k, far))
				}
			}
			commit(t, s, b)
			mu.Lock()
			for _, r := range b.Records[:1] {
				acked.join(r)
			}
			mu.Unlock()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	running.Wait()
	t.Logf("%d steps, %d cuts", steps, cuts)
	if cuts < 100 {
		t.Errorf("only %d cuts", cuts)
	}
}
