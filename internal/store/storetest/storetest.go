// Package storetest holds what any durable store of a node must do, as tests
// that run on the disk and on the shared log alike.
package storetest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"rescind"
	"rescind/internal/store"
)

// Store is what both offer.
type Store interface {
	Identity() store.Identity
	Load(ctx context.Context, now rescind.Millis, yield func(rescind.Record)) ([]store.Frontier, error)
	Commit(ctx context.Context, b store.Batch) error
	Drop(ctx context.Context, now rescind.Millis) error
	Stats() store.Stats
	Close() error
}

// T is a *testing.T or a *rapid.T.
type T interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// Place is where records are kept: a folder or a stream.
type Place interface {
	// Open opens a store, which the place closes when the test ends. It opens the
	// one place again after Close or Crash.
	Open(t T) Store

	// Crash ends the last store that was opened, and what keeps the records, as
	// abruptly as can be.
	Crash(t T)
}

// Backend makes places.
type Backend struct {
	New         func(t T) Place // an empty one
	BucketWidth time.Duration

	// Whole says that a batch is there as a whole or not at all. If not, one for
	// which Commit has not returned may be there in part.
	Whole bool

	// Crashes is how often a test crashes a place, over and over.
	Crashes int
}

// Far is when records of tests lapse.
const Far = rescind.Millis(4e12)

// Record returns record number n.
func Record(n uint64, expires rescind.Millis) rescind.Record {
	return rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, n+1, n<<8), IssuedBefore: rescind.Ever, ExpiresAt: expires}
}

// Set joins records by their digests.
type Set map[rescind.Digest]rescind.Record

// Join puts r in.
func (m Set) Join(r rescind.Record) {
	if old, ok := m[r.Digest]; ok {
		r = r.Join(old)
	}
	m[r.Digest] = r
}

// Load returns what s holds.
func Load(t T, s Store) Set {
	t.Helper()
	got := Set{}
	if _, err := s.Load(context.Background(), 0, got.Join); err != nil {
		t.Fatal(err)
	}
	return got
}

// Open opens a store and returns what it holds.
func Open(t T, p Place) (Store, Set) {
	t.Helper()
	s := p.Open(t)
	return s, Load(t, s)
}

// Commit makes b durable.
func Commit(t T, s Store, b store.Batch) {
	t.Helper()
	if err := s.Commit(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// Run runs all tests on a backend.
func Run(t *testing.T, b Backend) {
	for name, test := range map[string]func(*testing.T, Backend){
		"CommittedSurvivesCrashes": committedSurvivesCrashes,
		"CrashAmidCommits":         crashAmidCommits,
		"CommitsOfOneDigestJoin":   commitsOfOneDigestJoin,
		"BadBatchesAreRefused":     badBatchesAreRefused,
		"EpochsAreUnused":          epochsAreUnused,
		"DropAgainstAMap":          dropAgainstAMap,
		"DropAtTheBorder":          dropAtTheBorder,
		"Closed":                   closed,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// committedSurvivesCrashes crashes again and again: what Commit had returned nil
// for is there.
func committedSurvivesCrashes(t *testing.T, b Backend) {
	rng := rand.New(rand.NewPCG(1, 1))
	p, want := b.New(t), Set{}
	for range b.Crashes {
		s, got := Open(t, p)
		if !maps.Equal(got, want) {
			t.Fatalf("%d records after a crash, want %d", len(got), len(want))
		}
		for own := range uint64(rng.IntN(20)) {
			r := Record(rng.Uint64N(100), Far+rescind.Millis(rng.Int64N(1e7)))
			r.IssuedBefore = rescind.Millis(rng.Int64N(1e12))
			Commit(t, s, store.Batch{Records: []rescind.Record{r}, Own: own + 1})
			want.Join(r)
		}
		p.Crash(t)
	}
}

// crashAmidCommits crashes while eight goroutines commit. What was acknowledged
// before is there.
func crashAmidCommits(t *testing.T, b Backend) {
	const writers, perBatch = 8, 5
	for seed := range uint64(b.Crashes) {
		rng := rand.New(rand.NewPCG(seed, 2))
		p := b.New(t)
		s, _ := Open(t, p)
		ctx, stop := context.WithCancel(context.Background())
		var mu sync.Mutex
		acked := map[uint64]bool{}
		some, done := make(chan struct{}, writers*1000), sync.WaitGroup{}
		for w := range uint64(writers) {
			done.Go(func() {
				for i := range uint64(1000) {
					n := w*1000 + i
					var batch store.Batch
					for k := range uint64(perBatch) {
						batch.Records = append(batch.Records, Record(n*perBatch+k, Far))
					}
					if err := s.Commit(ctx, batch); err != nil {
						return // it has crashed
					}
					mu.Lock()
					acked[n] = true
					mu.Unlock()
					some <- struct{}{}
				}
			})
		}
		for range 20 + rng.IntN(200) {
			<-some
		}
		mu.Lock()
		before := maps.Clone(acked)
		mu.Unlock()
		p.Crash(t)
		stop()
		done.Wait()

		_, got := Open(t, p)
		found := map[uint64]int{}
		for d := range got {
			found[(d.Hi-1)/perBatch]++
		}
		for n := range before {
			if found[n] != perBatch {
				t.Errorf("seed %d: acknowledged batch %d has %d records of %d", seed, n, found[n], perBatch)
			}
		}
		for n, k := range found {
			if b.Whole && k != perBatch {
				t.Errorf("seed %d: batch %d is there in part: %d of %d", seed, n, k, perBatch)
			}
		}
	}
}

// commitsOfOneDigestJoin lets commits overtake one another: the join of all is
// what stays, also after a crash.
func commitsOfOneDigestJoin(t *testing.T, b Backend) {
	p := b.New(t)
	s, _ := Open(t, p)
	var done sync.WaitGroup
	for w := range 8 {
		done.Go(func() {
			for i := range 20 {
				r := Record(1, Far+rescind.Millis(i*8+w))
				r.IssuedBefore = rescind.Millis(1000 - i*8 - w)
				if err := s.Commit(context.Background(), store.Batch{Records: []rescind.Record{r}, Own: uint64(1 + i*8 + w)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done.Wait()
	p.Crash(t)
	want := Record(1, Far+159)
	want.IssuedBefore = 1000
	if _, got := Open(t, p); !maps.Equal(got, Set{want.Digest: want}) {
		t.Errorf("%v; want %v", got, want)
	}
}

// badBatchesAreRefused: what Load would take for damage must not get in, and
// refusing it must not stop the store.
func badBatchesAreRefused(t *testing.T, b Backend) {
	p := b.New(t)
	s, _ := Open(t, p)
	good := Record(1, Far)
	for name, r := range map[string]rescind.Record{
		"no digest": {ExpiresAt: Far},
		"no scope":  {Digest: rescind.Digest{Hi: 1, Lo: 7}, ExpiresAt: Far},
		"expires":   {Digest: good.Digest, ExpiresAt: -1},
		"issued":    {Digest: good.Digest, IssuedBefore: -1, ExpiresAt: Far},
	} {
		err := s.Commit(context.Background(), store.Batch{Records: []rescind.Record{good, r}})
		if err == nil || errors.Is(err, store.ErrFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Commit(context.Background(), store.Batch{Forget: make([]uint64, store.MaxBatch+1)}); err == nil || errors.Is(err, store.ErrFailed) {
		t.Errorf("too large: %v", err)
	}
	Commit(t, s, store.Batch{Records: []rescind.Record{Record(2, rescind.Ever)}})
	p.Crash(t)
	if _, got := Open(t, p); len(got) != 1 {
		t.Errorf("%v; want the one good record", got)
	}
}

// epochsAreUnused: no two lives are the same to others.
func epochsAreUnused(t *testing.T, b Backend) {
	p := b.New(t)
	type life struct{ origin, epoch uint64 }
	seen := map[life]bool{}
	for i := range 4 {
		s, _ := Open(t, p)
		id := s.Identity()
		if id.Origin == 0 || id.Epoch == 0 || seen[life{id.Origin, id.Epoch}] {
			t.Errorf("life %d has identity %+v", i, id)
		}
		seen[life{id.Origin, id.Epoch}] = true
		Commit(t, s, store.Batch{Records: []rescind.Record{Record(uint64(i), Far)}, Own: 1})
		if i%2 == 0 {
			p.Crash(t)
		} else if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func closed(t *testing.T, b Backend) {
	s, _ := Open(t, b.New(t))
	Commit(t, s, store.Batch{Records: []rescind.Record{Record(1, Far)}})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	_, err := s.Load(context.Background(), 0, func(rescind.Record) {})
	for what, err := range map[string]error{"commit": s.Commit(context.Background(), store.Batch{}), "drop": s.Drop(context.Background(), Far), "load": err} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if st := s.Stats(); st.Commits != 1 || st.Failed != nil {
		t.Errorf("stats %+v", st)
	}
}
