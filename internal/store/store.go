package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind/internal/admission"
)

// Errors that callers can tell apart with errors.Is.
var (
	// ErrLocked: another process, or another Store of this one, uses the folder.
	ErrLocked = errors.New("the folder is in use by another process")

	// ErrOtherCluster: the folder was written under another cluster name or key,
	// whose digests mean nothing here.
	ErrOtherCluster = errors.New("the folder belongs to another cluster name or cluster key; use the one that it was made with, or an empty folder")

	// ErrFormat: the folder was written by a version that this one can't read.
	ErrFormat = errors.New("the folder was written by another version of the software")

	// ErrCorrupt: what is on disk is not what was written. An empty folder is
	// the way on: the node gets a new identity and its peers' revocations.
	ErrCorrupt = errors.New("the folder is damaged")

	// ErrFailed: a write failed; nothing more is accepted until a restart.
	ErrFailed = errors.New("the store has failed")

	// ErrClosed: the store was used after Close.
	ErrClosed = errors.New("the store is closed")
)

// Options configures Open.
type Options struct {
	// KeyCheck is a fingerprint of the cluster's key and name, under which
	// digests are made. Zero is a fingerprint like any other.
	KeyCheck [16]byte

	// Logger receives what an operator should know. nil means slog.Default().
	Logger *slog.Logger

	// Now is the wall clock that epochs are taken from. nil means time.Now.
	Now func() time.Time

	// MemTable is how many bytes are gathered in memory before a table is
	// written. Up to twice as much is used, and up to sixteen times when the
	// disk can't follow. 0 means 16 MiB.
	MemTable uint64

	// FS holds the folder. nil means the operating system's file system, watched
	// for operations that take longer than five seconds.
	FS vfs.FS
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MemTable == 0 {
		o.MemTable = 16 << 20
	}
	return o
}

// Store is an open data folder. Its methods are safe for concurrent use.
type Store struct {
	dir      string
	fs       vfs.FS
	log      *slog.Logger
	identity Identity
	fence    *fence
	counters counters

	// mu is held shared by every call that uses db and alone by Close, which so
	// waits for calls in progress.
	mu     sync.RWMutex
	db     *pebble.DB // nil once closed
	lock   *pebble.Lock
	health io.Closer // of the watch for slow operations

	crowds admission.Seldom // what the log says of files that can't be opened

	// unwell is closed when a table could not be written, after which waiting
	// for one may take for ever.
	unwell     chan struct{}
	unwellOnce sync.Once
}

// counters are those that Stats shows and the fence doesn't know.
type counters struct{ commits, slow, background atomic.Uint64 }

// Open opens the folder dir, making it for this user alone if it does not exist,
// and raises its epoch durably. It fails with ErrLocked, ErrOtherCluster,
// ErrSuperseded, ErrFormat or ErrCorrupt, or with the file system's error, and then leaves the
// folder unlocked and the records in it as they were.
func Open(dir string, opt Options) (_ *Store, err error) {
	opt = opt.withDefaults()
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the data folder %s: %w", dir, err)
		}
	}()
	s := &Store{log: opt.Logger, unwell: make(chan struct{}), crowds: admission.Seldom{Period: time.Second}}
	fs := opt.FS
	if fs == nil {
		fs, s.health = vfs.WithDiskHealthChecks(vfs.Default, slowAfter, nil, s.diskSlow)
		if dir, err = canonical(dir); err != nil {
			return nil, errors.Join(err, s.release())
		}
	}
	s.dir, s.fs = dir, fs
	if err := s.open(fs, opt); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Store) open(fs vfs.FS, opt Options) (err error) {
	if s.lock, err = lockFolder(fs, s.dir); err != nil {
		return err
	}
	if err := refuseSuperseded(fs, s.dir); err != nil {
		return err
	}
	if err := inspect(fs, s.dir); err != nil {
		return err
	}
	s.fence = newFence(fs, s.dir, func(cause error) {
		s.log.Error("store: a write failed; no more revocations are accepted until a restart", "error", cause.Error()) // the text: Pebble's errors print stacks
	})
	s.fence.onCrowd = func(cause error) {
		if muted, ok := s.crowds.Allow(time.Now()); ok {
			s.log.Warn("store: the process has too many files open; the store waits for some to be closed", "error", cause.Error(), "muted", muted)
		}
	}
	if err := s.fence.usage.begin(fs, s.dir); err != nil {
		return fmt.Errorf("list the folder: %w", err)
	}
	if s.db, err = s.openPebble(opt.MemTable); err != nil {
		return err
	}
	s.fence.opened.Store(true)
	if err := s.fence.err(); err != nil {
		return err // hidden from Pebble, which carried on in memory
	}
	return s.begin(opt)
}

// Identity returns who this node is in this epoch.
func (s *Store) Identity() Identity { return s.identity }

// Close waits for calls in progress, writes what is only in the log into tables,
// and releases the folder. What was committed is safe without it. It returns
// nil when called again.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	s.fence.closing()
	// Every block of a table has a checksum and is read by Load; the end of a
	// log has less to tell a flipped bit from a torn write.
	flushed := s.flush()
	return errors.Join(s.fence.err(), flushed, s.release())
}

// flush writes what is only in the log into tables, if that is possible.
func (s *Store) flush() error {
	return guard(func() error {
		flushed, err := s.db.AsyncFlush()
		if err != nil {
			return fmt.Errorf("write tables: %w", err)
		}
		select {
		case <-flushed:
		case <-s.unwell: // all that was committed stays in the log
		}
		return nil
	})
}

// release gives back whatever Open got hold of.
func (s *Store) release() error {
	var errs []error
	if s.db != nil {
		s.fence.release()
		closed := guard(s.db.Close)
		if s.fence.err() == nil { // else Pebble misses what the fence held back
			errs = append(errs, closed)
		}
		s.db = nil
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if s.health != nil {
		errs = append(errs, s.health.Close())
	}
	return errors.Join(errs...)
}
