package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// canonical names dir in one way only: the lock is the process's, so that within
// one process it is the name that keeps two stores apart.
func canonical(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err == nil {
		return resolved, nil
	}
	// It is not there yet: its parent may be reached through a link.
	if parent, err := filepath.EvalSymlinks(filepath.Dir(dir)); err == nil {
		return filepath.Join(parent, filepath.Base(dir)), nil
	}
	return dir, nil
}

// lockFolder makes the folder and takes it for this process.
func lockFolder(fs vfs.FS, dir string) (*pebble.Lock, error) {
	if err := makeFolder(fs, dir); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, fs)
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES), strings.Contains(err.Error(), "lock held by current process"):
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	default:
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
}

// makeFolder makes dir and its missing parents for this user alone, and their
// entries durable: otherwise a power failure could take the folder with all that
// was synced inside it.
func makeFolder(fs vfs.FS, dir string) error {
	parents := []string{fs.PathDir(dir)}
	for p := parents[0]; ; p = fs.PathDir(p) {
		if _, err := fs.Stat(p); err == nil || fs.PathDir(p) == p {
			break
		}
		parents = append(parents, fs.PathDir(p))
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	for _, p := range parents {
		if err := syncFolder(fs, p); err != nil {
			return fmt.Errorf("sync the folder's parent: %w", err)
		}
	}
	return nil
}

func syncFolder(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
