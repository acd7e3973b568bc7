//go:build unix

package store

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rescind"
)

// TestTooManyFilesPass: that the process can't open a file for a while is not a dead
// disk. The store waits and goes on, wherever it was about to open one, and loses
// nothing. It used to stop for ever, and the node with it.
func TestTooManyFilesPass(t *testing.T) {
	for name, fail := range map[string]func(errorfs.Op) bool{
		"a log":   on(".log", errorfs.OpCreate, errorfs.OpReuseForWrite),
		"a table": on(".sst", errorfs.OpCreate),
		"anything": func(op errorfs.Op) bool {
			switch op.Kind {
			case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpOpen, errorfs.OpOpenDir:
				return !strings.Contains(op.Path, "temp")
			}
			return false
		},
	} {
		for _, cause := range []error{syscall.EMFILE, syscall.ENFILE} {
			t.Run(name+", "+cause.Error(), func(t *testing.T) {
				disk := newFaulty(vfs.NewCrashableMem(), &os.PathError{Op: "open", Path: "x", Err: cause}, fail)
				s, err := Open("data", Options{Logger: quiet, FS: renamesFirst{disk}, MemTable: 256 << 10})
				if err != nil {
					t.Fatal(err)
				}
				disk.broken.Store(true)
				want, done := set{}, make(chan error, 1)
				go func() {
					for i := range uint64(50) {
						b := many(i)
						for _, r := range b.Records {
							want.join(r)
						}
						if err := s.Commit(b); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
				for end := time.Now().Add(20 * time.Second); s.Stats().Crowded == 0; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("no file was to be opened")
					}
				}
				disk.broken.Store(false) // somebody has closed a connection
				if err := <-done; err != nil || s.Stats().Failed != nil {
					t.Fatalf("%v, %v", err, s.Stats().Failed)
				}
				crashed := disk.mem.CrashClone(vfs.CrashCloneCfg{})
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				mustHold(t, open(t, crashed), want)
				mustHold(t, open(t, disk.mem), want)
			})
		}
	}
}

// renamesFirst does as the operating system's file system: that there is no descriptor
// is found after the file has its new name.
type renamesFirst struct{ *faulty }

func (f renamesFirst) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.mem.Rename(from, to); err != nil {
		return nil, err
	}
	if err := f.inject(errorfs.Op{Kind: errorfs.OpReuseForWrite, Path: to}); err != nil {
		return nil, err
	}
	return f.FS.OpenReadWrite(to, category)
}

// TestTooManyFilesEndWithTheStore: who closes does not wait for a descriptor.
func TestTooManyFilesEndWithTheStore(t *testing.T) {
	disk := newFaulty(vfs.NewCrashableMem(), syscall.EMFILE, on(".sst", errorfs.OpCreate))
	s, err := Open("data", Options{Logger: quiet, FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, many(1))
	disk.broken.Store(true)
	closed := make(chan struct{})
	go func() { defer close(closed); s.Close() }()
	select {
	case <-closed:
	case <-time.After(30 * time.Second):
		t.Fatal("Close waits for ever")
	}
}

// TestTooManyFilesOfThisProcess takes the last descriptors of this process.
func TestTooManyFilesOfThisProcess(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "data"), Options{Logger: quiet, MemTable: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Skip(err)
	}
	tight := before
	tight.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &tight); err != nil {
		t.Skip(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	var taken []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		taken = append(taken, f)
	}
	done := make(chan error, 1)
	go func() {
		for i := range uint64(20) {
			if err := s.Commit(many(i)); err != nil {
				done <- err
				return
			}
		}
		done <- s.Commit(Batch{Records: []rescind.Record{record(1e9, far)}})
	}()
	for end := time.Now().Add(20 * time.Second); s.Stats().Crowded == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Error("no file was to be opened")
			break
		}
	}
	for _, f := range taken {
		f.Close()
	}
	if err := <-done; err != nil || s.Stats().Failed != nil {
		t.Errorf("%v, %v", err, s.Stats().Failed)
	}
}
