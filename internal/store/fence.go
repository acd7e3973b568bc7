package store

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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

	crowded atomic.Uint64 // how often a file could not be opened for lack of a descriptor
	onCrowd func(error)   // called each time the trouble begins
	giveUp  chan struct{} // closed when nothing waits for a descriptor any more
}

// crowdPause is how long to wait before a file is opened again.
const crowdPause = 20 * time.Millisecond

// crowdGrace is how long a closing store still waits.
const crowdGrace = time.Second

// opening runs op, which opens a file, again until the process has a descriptor for
// it. That nothing could be opened says nothing of the disk: EMFILE and ENFILE are
// returned before anything is done there, and they pass as soon as somebody closes a
// connection. It ends with the error a moment after the store begins to close, when
// all that was committed stays in the log, and at once while the store opens.
func (f *fence) opening(op func() error) error {
	for tries := 0; ; tries++ {
		err := op()
		if !f.opened.Load() || !crowded(err) {
			return err
		}
		if f.crowded.Add(1); tries == 0 && f.onCrowd != nil {
			f.onCrowd(err)
		}
		select {
		case <-time.After(crowdPause):
		case <-f.giveUp:
			return err
		}
	}
}

// crowded reports whether an operation had no descriptor.
func crowded(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }

// closing lets what waits for a descriptor wait a little longer, and then give up.
func (f *fence) closing() { time.AfterFunc(crowdGrace, func() { close(f.giveUp) }) }

// errFenced is what Pebble sees where it can bear an error: in making tables.
var errFenced = errors.New("an earlier write failed")

// mergeCategory is what Pebble calls the files it makes by merging others.
const mergeCategory = "pebble-compaction"

func newFence(disk vfs.FS, dir string, onTrip func(error)) *fence {
	f := &fence{FS: disk, onTrip: onTrip, scratch: vfs.NewMem(), released: make(chan struct{}), giveUp: make(chan struct{}), syncs: timing.New(SyncBounds)}
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
	f.do(func() error {
		return f.opening(func() (err error) {
			file, err = op()
			return err
		})
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
		f.do(func() error { return f.opening(func() error { return syncFolder(f.FS, f.FS.PathDir(name)) }) })
	}
}

// timed measures a sync of the log.
func (f *fence) timed(sync func() error) error {
	start := time.Now()
	err := sync()
	f.syncs.Observe(time.Since(start))
	return err
}
