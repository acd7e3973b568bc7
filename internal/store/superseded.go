package store

import (
	"errors"
	"fmt"
	iofs "io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrSuperseded: another process has gone on from a copy of the folder. Under a supervisor
// that starts what has ended, the two would supersede one another for ever; so the
// folder that was superseded stays closed until somebody says which of them is to go on.
var ErrSuperseded = errors.New("the folder was superseded")

// supersededFile is there in a folder that was superseded. Whoever removes it says that no
// other process uses a copy.
const supersededFile = "SUPERSEDED"

const supersededText = `Another process runs from a copy of this folder, in a later epoch, so this one is not opened.
Give this node an empty folder: it gets an identity of its own, and from its peers what they hold.
Or, if the other process has ended and its folder is not used again: remove this file.
`

// Supersede notes durably that another process has gone on from a copy of the folder: Open
// returns ErrSuperseded from now on.
func (s *Store) Supersede() error {
	path := s.fs.PathJoin(s.dir, supersededFile)
	f, err := s.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("note that the folder was superseded: %w", err)
	}
	_, err = f.Write([]byte(supersededText))
	if err = errors.Join(err, f.Sync(), f.Close(), syncFolder(s.fs, s.dir)); err != nil {
		return fmt.Errorf("note that the folder was superseded: %w", err)
	}
	return nil
}

// refuseSuperseded returns ErrSuperseded where Supersede was called.
func refuseSuperseded(fs vfs.FS, dir string) error {
	path := fs.PathJoin(dir, supersededFile)
	switch _, err := fs.Stat(path); {
	case errors.Is(err, iofs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look for %s: %w", path, err)
	default:
		return fmt.Errorf("%w: another process runs from a copy of it; give this node an empty folder, or, "+
			"if that process has ended and its folder is not used again, remove %s", ErrSuperseded, path)
	}
}
