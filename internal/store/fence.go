package store

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind/internal/timing"
)

// fence is a file system that stops at the first write that fails: no later one
// reaches the disk, and no sync is ever repeated. So the folder stays as a crash
// at that moment would have left it, a state that Pebble recovers from.
//
// Pebble isn't told, because it answers a failed write of a log or manifest by
// ending the process (on a full disk by unlocking a mutex twice, which can't even
// be recovered from). It goes on in memory: what it writes from then on goes to a
// scratch file system or nowhere. Whoever acknowledges asks err first; err is set
// before the write that failed returns to Pebble.
type fence struct {
	vfs.FS // the disk

	cause   atomic.Pointer[error] // the first failure; once set, the disk is not written
	onTrip  func(error)           // called once
	scratch *vfs.MemFS            // holds what Pebble creates after the failure

	// released is closed when the store closes. Until then merging tables, which
	// would copy the disk into memory, waits; but not before the store is open,
	// because Pebble's opening waits for merges that are under way.
	opened   atomic.Bool
	released chan struct{}
	once     sync.Once

	syncs *timing.Histogram // of the log
	usage usage             // of the folder
}

// errFenced is what Pebble sees where it can bear an error: in making tables.
var errFenced = errors.New("an earlier write failed")

// mergeCategory is what Pebble calls the files it makes by merging others.
const mergeCategory = "pebble-compaction"

func newFence(disk vfs.FS, dir string, onTrip func(error)) *fence {
	f := &fence{FS: disk, onTrip: onTrip, scratch: vfs.NewMem(), released: make(chan struct{}), syncs: timing.New(SyncBounds)}
	if err := f.scratch.MkdirAll(dir, 0o700); err != nil {
		f.trip(err) // it is memory: this does not happen
	}
	return f
}

// err returns the first failure, or nil.
func (f *fence) err() error {
	if cause := f.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// trip notes a failure.
func (f *fence) trip(cause error) {
	if f.cause.CompareAndSwap(nil, &cause) {
		f.onTrip(cause)
	}
}

// release lets waiting background work end with an error.
func (f *fence) release() { f.once.Do(func() { close(f.released) }) }

// do runs op unless a write has failed before, and hides its error.
func (f *fence) do(op func() error) {
	if f.err() != nil {
		return
	}
	if err := op(); err != nil {
		f.trip(err)
	}
}

func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// create makes a file by op or, when writing has failed, in memory.
func (f *fence) create(name string, category vfs.DiskWriteCategory, op func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	f.do(func() (err error) {
		file, err = op()
		return err
	})
	if file != nil {
		f.madeDurable(name)
		return &fencedFile{File: file, fence: f, name: name, size: f.usage.file(name), table: isTable(name), log: isLog(name)}, nil
	}
	if category == mergeCategory {
		if f.opened.Load() {
			<-f.released
		}
		return nil, errFenced
	}
	return f.scratch.Create(name, category)
}

// namesOthers tells the files that say which others belong together: the
// manifests, and the markers that name one of them.
func namesOthers(name string) bool {
	base := filepath.Base(name)
	return strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.")
}

// madeDurable syncs the folder once such a file is there. Pebble does so only when
// it has made a manifest and the marker that names it, and has removed the marker
// that named the one before: on a file system that keeps no order among names, a
// power cut could leave the new marker without its manifest, or no marker.
func (f *fence) madeDurable(name string) {
	if namesOthers(name) {
		f.do(func() error { return syncFolder(f.FS, f.FS.PathDir(name)) })
	}
}

// timed measures a sync of the log.
func (f *fence) timed(sync func() error) error {
	start := time.Now()
	err := sync()
	f.syncs.Observe(time.Since(start))
	return err
}
