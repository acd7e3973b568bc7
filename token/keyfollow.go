package token

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

// UpdateKeyFile loads the keys at path, lets change work on them and saves them,
// in one step for all processes of this host. If change fails, the file stays as
// it was.
func UpdateKeyFile(path string, change func(*KeySet) error) error {
	unlock, err := lockKeyFile(path)
	if err != nil {
		return fmt.Errorf("token: key file: %w", err)
	}
	defer unlock()
	s, err := LoadKeySet(path)
	if err != nil {
		return err
	}
	if err := change(s); err != nil {
		return err
	}
	return s.Save(path)
}

const (
	lookEvery = 2 * time.Second // at the file
	dueEvery  = time.Minute     // at the schedule
)

// Follow keeps s like the file at path until ctx ends: it takes over what another
// process changes there within 2 s, such as 'rescind keys rotate', and rotates
// by r, unless r.Every is 0. A file that can't be read leaves the keys as they
// are, and log says so.
func (s *KeySet) Follow(ctx context.Context, path string, r Rotation, log *slog.Logger) error {
	if _, err := r.withDefaults(); err != nil {
		return err
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	seen, due := fileStamp{}, time.Time{}
	for {
		if now := stampOf(path); now != seen {
			seen = now
			if err := s.Reload(path); err != nil {
				log.Error("can't read the key file; the keys stay as they were", "error", err)
			}
		}
		if now := time.Now(); r.Every != 0 && !now.Before(due) {
			due = now.Add(dueEvery)
			if err := s.rotateFile(path, now, r); err != nil {
				log.Error("can't rotate the signing keys", "error", err)
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// fileStamp tells one version of a file from another; that of a file that can't be
// found differs from the zero one.
type fileStamp struct {
	changed time.Time
	size    int64
	mode    fs.FileMode // what others may read is refused, and putting that right changes nothing else
}

func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{size: -1}
	}
	return fileStamp{info.ModTime(), info.Size(), info.Mode()}
}

// rotateFile asks the keys at hand whether something is due, and the file only
// then.
func (s *KeySet) rotateFile(path string, now time.Time, r Rotation) error {
	s.mu.Lock()
	probe := &KeySet{pairs: s.pairs}
	s.mu.Unlock()
	if changes, err := probe.RotateDue(now, r); err != nil || !changes {
		return err
	}
	err := UpdateKeyFile(path, func(f *KeySet) error {
		_, err := f.RotateDue(now, r)
		return err
	})
	if err != nil {
		return err
	}
	return s.Reload(path)
}
