package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// slowAfter is when an operation on the disk is worth a warning.
	slowAfter = 5 * time.Second

	// layout pins Pebble's own format. A newer library must not move a folder
	// on by itself, since there is no way back.
	layout = pebble.FormatValueSeparation

	cacheSize = 8 << 20

	// openFiles is how many tables are kept open, at most: the rest of the process's
	// descriptors are for connections (package admission keeps these free).
	openFiles = 256
)

func (s *Store) openPebble(memTable uint64) (db *pebble.DB, err error) {
	err = guard(func() error {
		db, err = pebble.Open(s.dir, &pebble.Options{
			FS:                 s.fence,
			Lock:               s.lock,
			FormatMajorVersion: layout,
			Merger:             joins,
			Logger:             logger{s.log, s.fence},
			EventListener:      s.events(),
			CacheSize:          cacheSize,
			MaxOpenFiles:       openFiles,
			MemTableSize:       memTable,
			Cleaner:            remover{},
			// A commit that waits for tables to be written could wait for ever
			// on a disk that fails, so this is far off.
			MemTableStopWritesThreshold: 16,
			L0CompactionThreshold:       4,
			L0StopWritesThreshold:       1000,
			// Else the space of dropped buckets stays in use until 16 MiB more
			// are written.
			FlushDelayDeleteRange: time.Minute,
		})
		return err
	})
	return db, openError(err)
}

// remover removes what Pebble no longer needs, logs included. Pebble keeps those
// for another use unless a cleaner wants to see them: up to seventeen after a time of
// many writes, each as long as it once was, which the disk may lack for records.
type remover struct {
	pebble.DeleteCleaner // decides: it is less deep
	looksAtLogs
}

type looksAtLogs struct{ pebble.ArchiveCleaner }

// openError tells apart why Pebble did not open. It marks only corruption.
func openError(err error) error {
	if err == nil {
		return nil
	}
	for _, words := range []string{"format major version", "unknown format version", "merger name from file", "comparer name from file"} {
		if strings.Contains(err.Error(), words) {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	return corrupt(err)
}

// corrupt marks the errors of Pebble that mean damage.
func corrupt(err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) {
		return err
	}
	// A file that is missing or ends too early is damage as well; Pebble returns the
	// file system's error for it.
	missing, cut := errors.Is(err, iofs.ErrNotExist), errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	cut = cut || strings.Contains(err.Error(), "object size mismatch") // which Pebble does not mark
	if pebble.IsCorruptionError(err) || missing || cut {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

func (s *Store) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			s.unwellOnce.Do(func() { close(s.unwell) })
			// Pebble tries again at once, so that only the first few and then
			// ever fewer are worth a line.
			if n := s.counters.background.Add(1); n&(n-1) == 0 {
				s.log.Warn("store: background work failed", "error", err.Error(), "times", n)
			}
		},
		DataCorruption: func(i pebble.DataCorruptionInfo) { s.fence.trip(fmt.Errorf("%w: %s", ErrCorrupt, i)) },
		DiskSlow:       s.diskSlow,
	}
}

func (s *Store) diskSlow(i vfs.DiskSlowInfo) {
	s.counters.slow.Add(1)
	s.log.Warn("store: the disk is slow", "operation", i.String())
}

// logger passes Pebble's words on. Its chatter is for debugging only.
type logger struct {
	log   *slog.Logger
	fence *fence
}

func (l logger) Infof(f string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("store: " + fmt.Sprintf(f, args...))
	}
}

func (l logger) Errorf(f string, args ...any) { l.log.Warn("store: " + fmt.Sprintf(f, args...)) }

// Fatalf must not return and must not end the embedding process by os.Exit,
// which skips its deferred calls. On a caller's goroutine the panic becomes that
// call's error; on one of Pebble's own it ends the process. Failing disks don't
// lead here, because the fence hides them.
func (l logger) Fatalf(f string, args ...any) {
	err := fatalError{fmt.Sprintf(f, args...)}
	l.fence.trip(err)
	panic(err)
}

// fatalError is what Fatalf panics with.
type fatalError struct{ text string }

func (e fatalError) Error() string { return e.text }

// guard turns a fatal error on this goroutine into one that is returned.
func guard(f func() error) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case fatalError:
			err = v
		default:
			panic(v)
		}
	}()
	return f()
}
