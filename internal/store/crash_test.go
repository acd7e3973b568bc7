package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind"
)

// TestPowerLoss takes the power again and again. All that was not synced is
// lost, or half of it, or none; what Commit had returned nil for is there.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fs, want, own := vfs.NewCrashableMem(), set{}, uint64(0)
			for life := range 5 {
				s := open(t, fs)
				if id := s.Identity(); life > 0 && id.Previous.Seq != own {
					t.Fatalf("the epoch before ended at %d, want %d", id.Previous.Seq, own)
				}
				if got := load(t, s); !maps.Equal(got, want) {
					t.Fatalf("%d records after the crash, want %d", len(got), len(want))
				}
				own = 0
				for range rng.IntN(20) {
					own++
					r := record(rng.Uint64N(100), far+rescind.Millis(rng.Int64N(1e7)))
					r.IssuedBefore = rescind.Millis(rng.Int64N(1e12))
					commit(t, s, Batch{Records: []rescind.Record{r}, Own: own})
					want.join(r)
					if rng.IntN(8) == 0 {
						s.db.Flush()
					}
				}
				crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed%3) * 50, RNG: rng})
				s.Close()
				fs = crashed
			}
		})
	}
}

// TestPowerLossAmidCommits takes the power while eight goroutines commit. What
// was acknowledged before is there; each batch is there as a whole or not at all.
func TestPowerLossAmidCommits(t *testing.T) {
	const writers, perBatch = 8, 5
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 2))
		fs := vfs.NewCrashableMem()
		s := open(t, fs)
		var mu sync.Mutex
		acked := map[uint64]bool{}
		ackedSome, done := make(chan struct{}, writers*40), sync.WaitGroup{}
		for w := range uint64(writers) {
			done.Go(func() {
				for i := range uint64(40) {
					n := w*1000 + i
					var b Batch
					for k := range uint64(perBatch) {
						b.Records = append(b.Records, record(n*perBatch+k, far))
					}
					if err := s.Commit(b); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					acked[n] = true
					mu.Unlock()
					ackedSome <- struct{}{}
				}
			})
		}
		for range 20 + rng.IntN(200) {
			<-ackedSome
		}
		mu.Lock()
		before := maps.Clone(acked)
		mu.Unlock()
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed%3) * 50, RNG: rng})
		done.Wait()

		found := map[uint64]int{}
		for d := range load(t, open(t, crashed)) {
			found[(d.Hi-1)/perBatch]++
		}
		for n := range before {
			if found[n] != perBatch {
				t.Errorf("seed %d: acknowledged batch %d has %d records of %d", seed, n, found[n], perBatch)
			}
		}
		for n, k := range found {
			if k != perBatch {
				t.Errorf("seed %d: batch %d is there in part: %d of %d", seed, n, k, perBatch)
			}
		}
	}
}

// TestCommitsOfOneDigestJoin lets commits overtake one another: the join of all
// is what stays, in memory and after a crash.
func TestCommitsOfOneDigestJoin(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	var done sync.WaitGroup
	for w := range 8 {
		done.Go(func() {
			for i := range 20 {
				r := record(1, far+rescind.Millis(i*8+w))
				r.IssuedBefore = rescind.Millis(1000 - i*8 - w)
				err := s.Commit(Batch{
					Records:   []rescind.Record{r},
					Own:       uint64(1 + i*8 + w),
					Frontiers: []Frontier{{7, Position{uint64(i), uint64(1000 - i)}}},
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	want := record(1, far+159)
	want.IssuedBefore = 1000
	for _, s := range []*Store{s, open(t, fs.CrashClone(vfs.CrashCloneCfg{}))} {
		got, frontiers, err := contents(s)
		if err != nil || !maps.Equal(got, set{want.Digest: want}) || !slices.Equal(frontiers, []Frontier{{7, Position{19, 981}}}) {
			t.Errorf("%v, %v, %v; want %v", got, frontiers, err, want)
		}
	}
	s.Close()
	if id := open(t, fs).Identity(); id.Previous.Seq != 160 {
		t.Errorf("own number %d, want 160", id.Previous.Seq)
	}
}

func TestFrontiersAreKeptAndForgotten(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	commit(t, s, Batch{Frontiers: []Frontier{{1, Position{2, 3}}, {4, Position{5, 9}}, {8, Position{1, 1}}}})
	commit(t, s, Batch{Frontiers: []Frontier{{4, Position{6, 1}}, {8, Position{2, 2}}}, Forget: []uint64{1, 8, 99}})
	want := []Frontier{{4, Position{6, 1}}}
	if _, got, err := contents(open(t, fs.CrashClone(vfs.CrashCloneCfg{}))); err != nil || !slices.Equal(got, want) {
		t.Errorf("frontiers %v, %v; want %v", got, err, want)
	}
	// A forgotten origin starts again from wherever it is.
	commit(t, s, Batch{Frontiers: []Frontier{{1, Position{1, 1}}}})
	if _, got, err := contents(s); err != nil || len(got) != 2 || got[0] != (Frontier{1, Position{1, 1}}) {
		t.Errorf("frontiers %v, %v", got, err)
	}
}
