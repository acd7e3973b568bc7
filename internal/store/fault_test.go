package store

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rescind"
)

// faulty is a disk on which the operations that fail picks return an error from
// the moment that broken is set.
type faulty struct {
	vfs.FS
	mem    *vfs.MemFS
	broken atomic.Bool
	inject errorfs.InjectorFunc
}

func newFaulty(mem *vfs.MemFS, cause error, fail func(errorfs.Op) bool) *faulty {
	f := &faulty{mem: mem}
	f.inject = func(op errorfs.Op) error {
		if f.broken.Load() && fail(op) {
			return cause
		}
		return nil
	}
	f.FS = errorfs.Wrap(f.mem, f.inject)
	return f
}

// ReuseForWrite does what errorfs forgets: it returns a file that can fail.
func (f *faulty) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.inject(errorfs.Op{Kind: errorfs.OpReuseForWrite, Path: to}); err != nil {
		return nil, err
	}
	if err := f.mem.Rename(from, to); err != nil {
		return nil, err
	}
	return f.FS.OpenReadWrite(to, category)
}

func isSync(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
}

func on(suffix string, kinds ...errorfs.OpKind) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		for _, k := range kinds {
			if op.Kind == k && strings.Contains(op.Path, suffix) {
				return true
			}
		}
		return false
	}
}

// many is a batch that fills a table in memory soon.
func many(i uint64) (b Batch) {
	for k := range uint64(2000) {
		b.Records = append(b.Records, record(i*2000+k, far))
	}
	return b
}

// TestFailedWriteStopsTheStore breaks the disk in every way that a write can
// fail. The store must say so, in bounded time and without ending the process;
// go on reading; and lose nothing that it acknowledged.
func TestFailedWriteStopsTheStore(t *testing.T) {
	for name, fail := range map[string]func(errorfs.Op) bool{
		"sync of the log":       on(".log", errorfs.OpFileSync, errorfs.OpFileSyncData),
		"write of the log":      on(".log", errorfs.OpFileWrite),
		"creation of a log":     on(".log", errorfs.OpCreate, errorfs.OpReuseForWrite),
		"creation of a table":   on(".sst", errorfs.OpCreate),
		"write of a table":      on(".sst", errorfs.OpFileWrite),
		"sync of a table":       on(".sst", errorfs.OpFileSync, errorfs.OpFileSyncData),
		"write of the manifest": on("MANIFEST", errorfs.OpFileWrite),
		"sync of the manifest":  on("MANIFEST", errorfs.OpFileSync, errorfs.OpFileSyncData),
		"any sync":              isSync,
		"any write": func(op errorfs.Op) bool {
			return op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose
		},
	} {
		for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
			t.Run(fmt.Sprint(name, ", ", cause), func(t *testing.T) {
				disk := newFaulty(vfs.NewCrashableMem(), cause, fail)
				s, err := Open("data", Options{Logger: quiet, FS: disk, MemTable: 256 << 10})
				if err != nil {
					t.Fatal(err)
				}
				want := set{}
				write := func(i uint64) error {
					b := many(i)
					err := s.Commit(b)
					for _, r := range b.Records {
						if err == nil {
							want.join(r)
						}
					}
					return err
				}
				for i := range uint64(5) {
					if err := write(i); err != nil {
						t.Fatal(err)
					}
				}
				disk.broken.Store(true)
				for i := uint64(5); err == nil; i++ {
					if err = write(i); i > 2000 {
						t.Fatal("no commit failed")
					}
				}
				disk.broken.Store(false) // a disk that recovers must not matter
				again := s.Commit(Batch{Records: []rescind.Record{record(1e9, far)}, Own: 1})
				for _, err := range []error{err, again, s.Commit(Batch{}), s.Drop(far * 2)} {
					if !errors.Is(err, ErrFailed) || !errors.Is(err, cause) {
						t.Errorf("error %v; want %v for %v", err, ErrFailed, cause)
					}
				}
				if st := s.Stats(); !errors.Is(st.Failed, cause) {
					t.Errorf("stats say %v", st.Failed)
				}
				mustHold(t, s, want)
				crashed := disk.mem.CrashClone(vfs.CrashCloneCfg{})
				if err := s.Close(); !errors.Is(err, cause) {
					t.Errorf("close: %v", err)
				}
				if err := s.Close(); err != nil {
					t.Errorf("second close: %v", err)
				}
				for _, fs := range []*vfs.MemFS{crashed, disk.mem} { // power loss, restart
					s := open(t, fs)
					mustHold(t, s, want)
					if _, ok := load(t, s)[record(1e9, far).Digest]; ok {
						t.Error("a batch refused after the failure is there")
					}
				}
			})
		}
	}
}

func mustHold(t *testing.T, s *Store, want set) {
	t.Helper()
	got := load(t, s)
	for d, r := range want {
		if got[d] != r {
			t.Fatalf("%v is %v, want %v (%d records)", d, got[d], r, len(got))
		}
	}
}

// TestNoCommitIsAcknowledgedOnceASyncFailed: of a group of commits that wait for
// one sync, and of those behind it, none may pass because a later sync works.
func TestNoCommitIsAcknowledgedOnceASyncFailed(t *testing.T) {
	for after := range int64(20) {
		var syncs, acked atomic.Int64
		disk := newFaulty(vfs.NewCrashableMem(), syscall.EIO, func(op errorfs.Op) bool {
			return on(".log", errorfs.OpFileSync, errorfs.OpFileSyncData)(op) && syncs.Add(1) == after+1 // this one alone
		})
		s := open(t, disk)
		disk.broken.Store(true)
		var done sync.WaitGroup
		results := make([]error, 64)
		for i := range results {
			done.Go(func() {
				results[i] = s.Commit(Batch{Records: []rescind.Record{record(uint64(i), far)}})
				if results[i] == nil {
					acked.Add(1)
				}
			})
		}
		done.Wait()
		if n := syncs.Load(); s.fence.err() != nil && n != after+1 {
			t.Errorf("%d syncs after the one that failed", n-after-1)
		}
		crashed := open(t, disk.mem.CrashClone(vfs.CrashCloneCfg{}))
		got := load(t, crashed)
		for i, err := range results {
			if r := record(uint64(i), far); err == nil && got[r.Digest] != r {
				t.Errorf("after %d syncs: record %d was acknowledged and is lost", after, i)
			}
		}
	}
}

// TestFullDiskAtOpen: Open says so instead of trying for ever, and the folder
// opens once there is room.
func TestFullDiskAtOpen(t *testing.T) {
	for name, fail := range map[string]func(errorfs.Op) bool{
		"tables":   on(".sst", errorfs.OpCreate),
		"log":      on(".log", errorfs.OpCreate, errorfs.OpReuseForWrite),
		"manifest": on("MANIFEST", errorfs.OpCreate),
		"marker":   on("marker", errorfs.OpCreate),
		"options":  on("temp", errorfs.OpCreate, errorfs.OpRename),
		"all": func(op errorfs.Op) bool {
			return op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := newFaulty(vfs.NewCrashableMem(), syscall.ENOSPC, fail)
			want := set{}
			var s *Store
			for i := range uint64(4) { // several tables, so that opening begins to merge them
				s = open(t, disk)
				commit(t, s, many(i))
				for _, r := range many(i).Records {
					want.join(r)
				}
				if i < 3 {
					s.Close()
				}
			}
			crashed := disk.mem.CrashClone(vfs.CrashCloneCfg{}) // with all of it in the log
			s.Close()
			disk = newFaulty(crashed, syscall.ENOSPC, fail)
			disk.broken.Store(true)
			for range 2 {
				if s, err := Open("data", Options{Logger: quiet, FS: disk}); !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("open on a full disk: %v, %v", s, err)
				}
			}
			disk.broken.Store(false)
			if got := load(t, open(t, disk)); !maps.Equal(got, want) {
				t.Errorf("%d records, want %d", len(got), len(want))
			}
		})
	}
}

// TestUnreadableDisk: a read that fails is an error of Load, and an error alone:
// it does not pass for damage.
func TestUnreadableDisk(t *testing.T) {
	disk := newFaulty(vfs.NewCrashableMem(), syscall.EIO, on(".sst", errorfs.OpFileReadAt, errorfs.OpFileRead))
	s := open(t, disk)
	commit(t, s, many(1))
	s.Close()
	s = open(t, disk)
	disk.broken.Store(true)
	if _, _, err := contents(s); !errors.Is(err, syscall.EIO) || errors.Is(err, ErrCorrupt) {
		t.Errorf("load: %v", err)
	}
	disk.broken.Store(false)
	if got := load(t, s); len(got) != 2000 {
		t.Errorf("%d records", len(got))
	}
}
