package store

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// usage counts the bytes of the folder's files as they are written, renamed and
// removed. Pebble counts the logs only that it still needs, and a log that it keeps
// for another use not at all. Nothing is read from the disk, so that who asks for a
// node's state does not wait for it.
type usage struct {
	total atomic.Int64

	mu    sync.Mutex // guards files and their sizes
	files map[string]*fileSize
}

// fileSize is how far a file reaches.
type fileSize int64

// begin counts what is in the folder already.
func (u *usage) begin(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	u.files = make(map[string]*fileSize)
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		if info, err := fs.Stat(path); err == nil && !info.IsDir() {
			u.reaches(u.file(path), info.Size())
		}
	}
	return nil
}

// file returns the size of a file, which is 0 if it is new.
func (u *usage) file(name string) *fileSize {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.files == nil {
		u.files = make(map[string]*fileSize)
	}
	size := u.files[name]
	if size == nil {
		size = new(fileSize)
		u.files[name] = size
	}
	return size
}

// reaches notes that something was written up to end.
func (u *usage) reaches(size *fileSize, end int64) {
	if size == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if grown := end - int64(*size); grown > 0 {
		*size = fileSize(end)
		u.total.Add(grown)
	}
}

func (u *usage) rename(from, to string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	size := u.files[from]
	if size == nil || from == to {
		return
	}
	u.removeLocked(to)
	delete(u.files, from)
	u.files[to] = size
}

func (u *usage) remove(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.removeLocked(name)
}

// removeLocked forgets a file. Who writes to it still is not counted any more.
func (u *usage) removeLocked(name string) {
	if size := u.files[name]; size != nil {
		u.total.Add(-int64(*size))
		delete(u.files, name)
	}
}
