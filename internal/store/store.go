// Package store is the durable state of one node: its identity, its
// revocations and how far it has followed the other nodes.
//
// What Commit has returned nil for survives kill -9 and loss of power (each
// commit is written to the log and fsynced, many at a time). A commit is
// atomic. Records are kept by expiry bucket, so that those which have lapsed
// are dropped by one range deletion each, without reading them.
//
// It is built on Pebble, the storage engine of CockroachDB: an LSM tree with
// group commit and checksums. A log whose end was torn by a crash is cut there;
// any other damage refuses to open. After a failed write the store accepts
// nothing more, since a failed fsync must not be retried (Rebello et al., "Can
// Applications Recover from fsync Failures?", 2020).
package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind"
)

// Errors that callers can tell apart with errors.Is.
var (
	// ErrLocked: another process uses the folder.
	ErrLocked = errors.New("the folder is in use by another process")

	// ErrOtherCluster: the folder was written under another cluster name or key,
	// whose digests mean nothing here.
	ErrOtherCluster = errors.New("the folder belongs to another cluster name or cluster key; use the one that it was made with, or an empty folder")

	// ErrFormat: the folder was written by a version that this one can't read.
	ErrFormat = errors.New("the folder was written by another version of the software")

	// ErrFailed: an earlier write failed; the process must be restarted.
	ErrFailed = errors.New("the store has failed")
)

// Position is a place in an origin's streams: the first Seq records of Epoch.
type Position struct{ Epoch, Seq uint64 }

// Frontier says that everything of an origin's streams up to Position is held.
type Frontier struct {
	Origin uint64
	Position
}

// Identity names a data folder and the time since it was opened.
type Identity struct {
	Origin   uint64   // random, made with the folder, never 0
	Epoch    uint64   // durably raised by every Open
	Previous Position // the durable end of the epoch before; zero in a new folder
}

// Batch is what is made durable together.
type Batch struct {
	// Records are joined already: each replaces what was stored for its digest
	// in its expiry bucket.
	Records []rescind.Record

	// Own is the highest of this node's numbers contained in this and earlier
	// batches of the epoch.
	Own uint64

	Frontiers []Frontier // those that have moved
	Forget    []uint64   // origins whose frontier is dropped
}

// Options configures Open.
type Options struct {
	// KeyCheck is a fingerprint of the key that digests are made with.
	KeyCheck [16]byte

	// Logger receives what an operator should know. nil means slog.Default().
	Logger *slog.Logger

	fs  vfs.FS           // nil: the real one
	now func() time.Time // nil: time.Now
}

// Store is an open data folder. Its methods are safe for concurrent use.
type Store struct {
	db       *pebble.DB
	identity Identity
	failed   atomic.Bool
	close    sync.Once
}

// Open opens the folder dir, making it if it does not exist, and raises its
// epoch durably.
func Open(dir string, opt Options) (*Store, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.now == nil {
		opt.now = time.Now
	}
	if opt.fs == nil {
		opt.fs = vfs.Default
		if err := makeFolder(dir); err != nil {
			return nil, err
		}
	}
	db, err := openPebble(dir, opt)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db}
	if err := s.begin(opt); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// makeFolder makes dir for this user only, and its entry in the parent durable.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return fmt.Errorf("sync the data folder's parent: %w", err)
	}
	return errors.Join(parent.Sync(), parent.Close())
}

func openPebble(dir string, opt Options) (db *pebble.DB, err error) {
	defer recoverFatal(&err)
	db, err = pebble.Open(dir, &pebble.Options{
		FS:                    opt.fs,
		FormatMajorVersion:    pebble.FormatNewest,
		Logger:                logger{opt.Logger},
		MemTableSize:          16 << 20,
		L0CompactionThreshold: 4,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { opt.Logger.Warn("store: background work failed", "error", err) },
			DiskSlow:        func(i pebble.DiskSlowInfo) { opt.Logger.Warn("store: the disk is slow", "operation", i.String()) },
		},
	})
	switch {
	case err == nil:
		return db, nil
	case strings.Contains(err.Error(), "resource temporarily unavailable"), strings.Contains(err.Error(), "lock held by current process"):
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	case strings.Contains(err.Error(), "format major version"):
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	default:
		return nil, fmt.Errorf("open the store: %w", err)
	}
}

// begin reads the identity, or makes it in a new folder, and starts the next
// epoch. The clock takes part so that a folder that was rolled back to an
// older copy does not repeat an epoch.
func (s *Store) begin(opt Options) error {
	stored, err := s.readMeta()
	if err != nil {
		return err
	}
	if stored == nil {
		stored = &meta{format: format, origin: newOrigin(), keyCheck: opt.KeyCheck}
	}
	switch {
	case stored.format != format:
		return fmt.Errorf("%w: format %d instead of %d", ErrFormat, stored.format, format)
	case stored.keyCheck != opt.KeyCheck:
		return ErrOtherCluster
	}
	s.identity = Identity{Origin: stored.origin, Previous: Position{stored.epoch, stored.own}}
	stored.epoch = max(stored.epoch+1, uint64(opt.now().UnixMilli()))
	stored.own = 0
	s.identity.Epoch = stored.epoch
	batch := s.db.NewBatch()
	batch.Set(keyMeta, stored.append(nil), nil)
	batch.Set(keyOwn, binary.BigEndian.AppendUint64(nil, 0), nil)
	if err := s.write("raise the epoch", func() error { return batch.Commit(pebble.Sync) }); err != nil {
		return err
	}
	return nil
}

func newOrigin() uint64 {
	for {
		var b [8]byte
		rand.Read(b[:]) // never fails
		if o := binary.BigEndian.Uint64(b[:]); o != 0 {
			return o
		}
	}
}

// Identity returns who this node is in this epoch.
func (s *Store) Identity() Identity { return s.identity }

// Load yields every record that has not lapsed at now, in no useful order and
// perhaps several of one digest, which the caller joins. It returns the
// frontiers of the other nodes' streams.
func (s *Store) Load(now rescind.Millis, yield func(rescind.Record)) ([]Frontier, error) {
	frontiers, err := s.frontiers()
	if err != nil {
		return nil, err
	}
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixRecord}, UpperBound: []byte{prefixRecord + 1}})
	if err != nil {
		return nil, fmt.Errorf("read the revocations: %w", err)
	}
	for iter.First(); iter.Valid(); iter.Next() {
		r, err := recordOf(iter.Key(), iter.Value())
		if err != nil {
			return nil, errors.Join(err, iter.Close())
		}
		if !r.Lapsed(now) {
			yield(r)
		}
	}
	if err := iter.Close(); err != nil {
		return nil, fmt.Errorf("read the revocations: %w", err)
	}
	return frontiers, nil
}

func (s *Store) frontiers() ([]Frontier, error) {
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixFrontier}, UpperBound: []byte{prefixFrontier + 1}})
	if err != nil {
		return nil, fmt.Errorf("read the frontiers: %w", err)
	}
	var all []Frontier
	for iter.First(); iter.Valid(); iter.Next() {
		f, err := frontierOf(iter.Key(), iter.Value())
		if err != nil {
			return nil, errors.Join(err, iter.Close())
		}
		all = append(all, f)
	}
	if err := iter.Close(); err != nil {
		return nil, fmt.Errorf("read the frontiers: %w", err)
	}
	return all, nil
}

// Commit makes b durable: once it returns nil, b survives a crash as a whole.
// Concurrent commits share an fsync. After an error b may be there or not,
// and every later call fails with ErrFailed.
func (s *Store) Commit(b Batch) error {
	batch := s.db.NewBatch()
	for _, r := range b.Records {
		batch.Set(recordKey(r), recordValue(r), nil)
	}
	if b.Own > 0 {
		batch.Set(keyOwn, binary.BigEndian.AppendUint64(nil, b.Own), nil)
	}
	for _, f := range b.Frontiers {
		batch.Set(frontierKey(f.Origin), frontierValue(f), nil)
	}
	for _, o := range b.Forget {
		batch.Delete(frontierKey(o), nil)
	}
	return s.write("commit", func() error { return batch.Commit(pebble.Sync) })
}

// Drop forgets the records whose expiry bucket has lapsed as a whole at now.
func (s *Store) Drop(now rescind.Millis) error {
	end := bucketOf(now.Add(-rescind.RetentionMargin)) // the bucket of the latest lapsed record; those before it are complete
	return s.write("drop lapsed revocations", func() error {
		return s.db.DeleteRange(bucketKey(0), bucketKey(end), pebble.NoSync)
	})
}

// write runs f, unless the store has failed, and notes if it fails.
func (s *Store) write(what string, f func() error) (err error) {
	if s.failed.Load() {
		return ErrFailed
	}
	defer func() {
		if err != nil {
			s.failed.Store(true)
			err = fmt.Errorf("%s: %w: %w", what, ErrFailed, err)
		}
	}()
	defer recoverFatal(&err)
	return f()
}

// Close releases the folder. It may be called again.
func (s *Store) Close() (err error) {
	s.close.Do(func() {
		defer recoverFatal(&err)
		if e := s.db.Close(); e != nil && !s.failed.Load() {
			err = fmt.Errorf("close the store: %w", e)
		}
	})
	return err
}
