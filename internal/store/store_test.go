package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"rescind"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func open(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open("data", Options{Logger: quiet, fs: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func record(n uint64, expires rescind.Millis) rescind.Record {
	return rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, n+1, n<<8), IssuedBefore: rescind.Ever, ExpiresAt: expires}
}

const far = rescind.Millis(4e12)

func load(t testing.TB, s *Store, now rescind.Millis) map[rescind.Digest]rescind.Record {
	t.Helper()
	got := map[rescind.Digest]rescind.Record{}
	_, err := s.Load(now, func(r rescind.Record) {
		if old, ok := got[r.Digest]; ok {
			r = r.Join(old)
		}
		got[r.Digest] = r
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestCommitSurvivesPowerLoss crashes the machine with everything that was not
// synced lost, or some random part of it.
func TestCommitSurvivesPowerLoss(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fs := vfs.NewCrashableMem()
			want := map[rescind.Digest]rescind.Record{}
			own := uint64(0)
			for range 4 {
				s := open(t, fs)
				if id := s.Identity(); own > 0 && id.Previous.Seq != own {
					t.Fatalf("previous epoch ended at %d, want %d", id.Previous.Seq, own)
				}
				if got := load(t, s, 0); !maps.Equal(got, want) {
					t.Fatalf("%d records after the crash, want %d", len(got), len(want))
				}
				own = 0
				for range rng.IntN(20) {
					own++
					r := record(rng.Uint64N(1000), far+rescind.Millis(rng.Int64N(1e8)))
					r = r.Join(want[r.Digest])
					if err := s.Commit(Batch{Records: []rescind.Record{r}, Own: own}); err != nil {
						t.Fatal(err)
					}
					want[r.Digest] = r
				}
				crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed%3) * 50, RNG: rng})
				s.Close()
				fs = crashed
			}
		})
	}
}

func TestFailedWriteStopsTheStore(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		t.Run(cause.Error(), func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			var broken atomic.Bool
			fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if broken.Load() && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileWrite) {
					return cause
				}
				return nil
			}))
			s := open(t, fs)
			if err := s.Commit(Batch{Records: []rescind.Record{record(1, far)}, Own: 1}); err != nil {
				t.Fatal(err)
			}
			broken.Store(true)
			if err := s.Commit(Batch{Records: []rescind.Record{record(2, far)}, Own: 2}); !errors.Is(err, ErrFailed) {
				t.Fatalf("commit on a broken disk: %v", err)
			}
			broken.Store(false)
			if err := s.Commit(Batch{Records: []rescind.Record{record(3, far)}, Own: 3}); !errors.Is(err, ErrFailed) {
				t.Fatalf("commit after a failed one: %v", err)
			}
			s.Close()
			again := open(t, mem.CrashClone(vfs.CrashCloneCfg{}))
			if got := load(t, again, 0); got[record(1, far).Digest] != record(1, far) || len(got) > 2 {
				t.Errorf("after a clean reopen: %v", got)
			}
		})
	}
}

func TestEpochsRise(t *testing.T) {
	fs := vfs.NewMem()
	now := time.UnixMilli(1e12)
	var last Identity
	for i, step := range []time.Duration{0, time.Hour, -24 * time.Hour, -24 * time.Hour, 0} {
		now = now.Add(step)
		s, err := Open("data", Options{Logger: quiet, fs: fs, now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		id := s.Identity()
		if id.Origin == 0 || i > 0 && (id.Origin != last.Origin || id.Epoch <= last.Epoch || id.Previous.Epoch != last.Epoch) {
			t.Errorf("identity %+v after %+v", id, last)
		}
		last = id
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRolledBackFolderStartsAnUnusedEpoch restores an old copy of the folder.
func TestRolledBackFolderStartsAnUnusedEpoch(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	old := fs.CrashClone(vfs.CrashCloneCfg{})
	used := []uint64{s.Identity().Epoch}
	s.Close()
	for range 3 {
		s = open(t, fs)
		used = append(used, s.Identity().Epoch)
		s.Close()
	}
	if e := open(t, old).Identity().Epoch; slices.Contains(used, e) && e <= uint64(time.Now().UnixMilli()) {
		t.Errorf("epoch %d was used before: %v", e, used)
	}
}

func TestRefusals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := Open(dir, Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder %v, %v", info.Mode(), err)
	}
	if _, err := Open(dir, Options{Logger: quiet}); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Logger: quiet, KeyCheck: [16]byte{1}}); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("open with another key: %v", err)
	}
	if s, err = Open(dir, Options{Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	newer := (&meta{format: format + 1, origin: 1, epoch: 1}).append(nil)
	if err := s.db.Set(keyMeta, newer, nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Logger: quiet}); !errors.Is(err, ErrFormat) {
		t.Errorf("open of a newer format: %v", err)
	}
}

// TestDrop compares with a plain map: nothing goes early, and what has lapsed
// for longer than a bucket is gone.
func TestDrop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open("data", Options{Logger: quiet, fs: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		model := map[rescind.Digest]rescind.Record{}
		now := rescind.Millis(1e12)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			r := record(rapid.Uint64Range(0, 20).Draw(t, "n"), now.Add(time.Duration(rapid.Int64Range(-60, 60).Draw(t, "minutes"))*time.Minute))
			if old, ok := model[r.Digest]; ok {
				r = r.Join(old)
			}
			if err := s.Commit(Batch{Records: []rescind.Record{r}}); err != nil {
				t.Fatal(err)
			}
			model[r.Digest] = r
			now = now.Add(time.Duration(rapid.Int64Range(-20, 40).Draw(t, "step")) * time.Minute)
			if err := s.Drop(now); err != nil {
				t.Fatal(err)
			}
			for d, r := range model {
				if r.Lapsed(now) {
					delete(model, d)
				}
			}
			var got []rescind.Record
			if _, err := s.Load(0, func(r rescind.Record) { got = append(got, r) }); err != nil {
				t.Fatal(err)
			}
			for _, r := range model {
				if !slices.Contains(got, r) {
					t.Fatalf("%v is gone at %v", r, now)
				}
			}
			for _, r := range got {
				if r.Lapsed(now.Add(-bucketWidth)) {
					t.Fatalf("%v is still there at %v", r, now)
				}
			}
		}
	})
}

func TestFrontiersAreKeptAndForgotten(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	a, b := Frontier{1, Position{2, 3}}, Frontier{4, Position{5, 6}}
	for _, batch := range []Batch{
		{Frontiers: []Frontier{a, {4, Position{5, 1}}}},
		{Frontiers: []Frontier{b}, Forget: []uint64{1}},
	} {
		if err := s.Commit(batch); err != nil {
			t.Fatal(err)
		}
	}
	got, err := open(t, fs.CrashClone(vfs.CrashCloneCfg{})).Load(0, func(rescind.Record) {})
	if err != nil || !slices.Equal(got, []Frontier{b}) {
		t.Errorf("frontiers %v, %v; want %v", got, err, b)
	}
}

// FuzzRecordOf: damaged entries are refused, and what is read is what was
// written.
func FuzzRecordOf(f *testing.F) {
	r := record(7, far)
	f.Add(recordKey(r), recordValue(r))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r, err := recordOf(key, value)
		if err == nil && !(slices.Equal(recordKey(r)[9:], key[9:]) && slices.Equal(recordValue(r), value)) {
			t.Errorf("%x %x reads as %v", key, value, r)
		}
	})
}

// BenchmarkCommit shows single synced records per second, beside the floor: a
// write and an fsync of as many bytes.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{Logger: quiet})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var n atomic.Uint64
			b.SetParallelism(writers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					if err := s.Commit(Batch{Records: []rescind.Record{record(i, far)}, Own: i}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
	b.Run("floor", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "log"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		for i := range b.N {
			f.Write(binary.BigEndian.AppendUint64(make([]byte, 40), uint64(i)))
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
