package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// spent returns what the files of a folder take of the volume, and how long they
// are.
func spent(t testing.TB, dir string) (blocks, bytes uint64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(dir, e.Name()), &st); err != nil {
			continue // removed meanwhile
		}
		blocks += uint64(st.Blocks) * 512
		bytes += uint64(st.Size)
	}
	return blocks, bytes
}

// TestDiskIsSpentOnRecords: an operator sizes a volume by its records. Of an empty
// store nearly nothing is taken, and what Stats tells is what is taken.
func TestDiskIsSpentOnRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	const block = 4096
	check := func(s *Store, when string, most uint64) {
		t.Helper()
		var blocks, bytes, told uint64
		within(t, "Stats tells what the files have", func() bool { // files go in the background
			blocks, bytes = spent(t, dir)
			told = s.Stats().DiskBytes
			return told == bytes
		})
		t.Logf("%s: %d bytes on disk in files of %d, told %d", when, blocks, bytes, told)
		if blocks > most {
			t.Errorf("%s: %d bytes are taken, want at most %d", when, blocks, most)
		}
		if blocks > told+64*block {
			t.Errorf("%s: Stats tells %d bytes of %d", when, told, blocks)
		}
	}
	for life := range uint64(4) {
		s, err := Open(dir, Options{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, many(life))
		check(s, fmt.Sprint("life ", life), 2<<20)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskIsGivenBack: logs that are no longer needed go, also after a time of many
// writes, when Pebble would keep several of full length.
func TestDiskIsGivenBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := Open(dir, Options{Logger: quiet, MemTable: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range uint64(60) {
		commit(t, s, many(i))
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	logs := func() (n int) {
		names, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	within(t, "logs of written tables are gone", func() bool { return logs() <= 2 })
}

// kinds are all operations that can fail.
var kinds = map[string]errorfs.OpKind{
	"create": errorfs.OpCreate, "link": errorfs.OpLink, "open": errorfs.OpOpen, "open the folder": errorfs.OpOpenDir,
	"remove": errorfs.OpRemove, "remove all": errorfs.OpRemoveAll, "rename": errorfs.OpRename, "reuse": errorfs.OpReuseForWrite,
	"make a folder": errorfs.OpMkdirAll, "list": errorfs.OpList, "stat": errorfs.OpStat, "disk usage": errorfs.OpGetDiskUsage,
	"preallocate": errorfs.OpFilePreallocate, "close": errorfs.OpFileClose, "read": errorfs.OpFileRead, "read at": errorfs.OpFileReadAt,
	"write": errorfs.OpFileWrite, "write at": errorfs.OpFileWriteAt, "fstat": errorfs.OpFileStat, "sync": errorfs.OpFileSync,
	"sync data": errorfs.OpFileSyncData, "sync to": errorfs.OpFileSyncTo, "flush": errorfs.OpFileFlush,
}

// TestNoFailingOperationEndsTheProcess: whichever operation fails, on whichever kind
// of file, from now on or once, the process goes on; a commit that can't be kept is
// refused, and the others are there after a restart. On the operating system's file
// system, too, whose errors have other names than those of one in memory.
func TestNoFailingOperationEndsTheProcess(t *testing.T) {
	for name, kind := range kinds {
		for _, file := range []string{".log", ".sst", "MANIFEST", ""} {
			for _, where := range []string{"memory", "disk"} {
				t.Run(fmt.Sprintf("%s of %q in %s", name, file, where), func(t *testing.T) {
					t.Parallel()
					dir, base := "data", vfs.FS(vfs.NewMem())
					if where == "disk" {
						dir, base = filepath.Join(t.TempDir(), "data"), vfs.Default
					}
					var broken atomic.Bool
					disk := errorfs.Wrap(base, errorfs.InjectorFunc(func(op errorfs.Op) error {
						if broken.Load() && op.Kind == kind && strings.Contains(filepath.Base(op.Path), file) {
							return syscall.EIO
						}
						return nil
					}))
					want := set{}
					s, err := Open(dir, Options{Logger: quiet, FS: disk, MemTable: 64 << 10})
					if err != nil {
						t.Fatal(err)
					}
					for i := range uint64(12) { // tables are written and merged, logs change
						broken.Store(i > 2)
						b := Batch{Records: many(i).Records[:700]}
						switch err := s.Commit(b); {
						case err == nil:
							for _, r := range b.Records {
								want.join(r)
							}
						case !errors.Is(err, ErrFailed):
							t.Errorf("commit: %v", err)
						}
					}
					s.Stats()
					s.Close()
					broken.Store(false)
					s, err = Open(dir, Options{Logger: quiet, FS: base})
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					mustHold(t, s, want)
				})
			}
		}
	}
}

// TestLogThatCannotBeLookedAt: Pebble ends the process where it can't tell how long a
// log is that it writes over. It is told, and the store has failed.
func TestLogThatCannotBeLookedAt(t *testing.T) {
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileStat {
			return syscall.EIO
		}
		return nil
	}))
	f := newFence(disk, "", func(error) {})
	log, err := f.Create("000001.log", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Write(make([]byte, 77)); err != nil {
		t.Fatal(err)
	}
	if info, err := log.Stat(); err != nil || info.Size() != 77 || info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
	if !errors.Is(f.err(), syscall.EIO) {
		t.Errorf("the fence says %v", f.err())
	}
}

// TestDamageIsCalledDamage: a table that was cut, or a file that is gone, is what the
// runbook calls damage, whichever file system says so.
func TestDamageIsCalledDamage(t *testing.T) {
	_, _, files := used(t)
	for name, good := range files {
		if !isTable(name) && !strings.HasPrefix(name, "MANIFEST") {
			continue
		}
		for _, length := range []int{-1, 0, 1, 50, len(good) / 2, len(good) - 1} {
			if !isTable(name) && length == len(good)-1 {
				continue // not told from a torn end, see the package comment
			}
			t.Run(fmt.Sprintf("%s, %d of %d bytes", name, length, len(good)), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				for n, b := range files {
					if n == name {
						if length < 0 {
							continue
						}
						b = b[:min(length, len(b))]
					}
					if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				s, err := Open(dir, Options{Logger: quiet, FS: vfs.Default}) // unwatched: where Open fails, Pebble leaves files open
				if err == nil {
					var got set
					got, _, err = contents(s)
					s.Close()
					if err == nil && len(got) == 40 {
						t.Skip("nothing refers to it")
					}
				}
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// within polls until ok, or fails the test.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(15 * time.Second); !ok(); <-poll.C {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
