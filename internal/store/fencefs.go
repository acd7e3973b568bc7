package store

import (
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The operations that change names, and those that look for a file which may be
// in memory. What only reads goes to the disk.

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.create(name, category, func() (vfs.File, error) { return f.FS.Create(name, category) })
}

func (f *fence) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.create(to, category, func() (vfs.File, error) { return f.FS.ReuseForWrite(from, to, category) })
}

func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.create(name, category, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, category, opts...) })
}

// OpenDir opens a folder, which Pebble does in order to sync it.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: dir, fence: f}, nil
}

func (f *fence) Link(from, to string) error {
	f.do(func() error { return f.FS.Link(from, to) })
	return nil
}

func (f *fence) Rename(from, to string) error {
	f.do(func() error { return f.FS.Rename(from, to) })
	if f.err() != nil {
		f.scratch.Rename(from, to) // if it is there
	}
	return nil
}

// Remove returns the disk's error: what is left behind is only in the way.
// After a failure nothing may go, since the next Open needs the old files.
func (f *fence) Remove(name string) error {
	if f.err() != nil {
		f.scratch.Remove(name) // if it is there
		return nil
	}
	return f.FS.Remove(name)
}

func (f *fence) RemoveAll(name string) error {
	if f.err() != nil {
		return nil
	}
	return f.FS.RemoveAll(name)
}

func (f *fence) MkdirAll(name string, perm fs.FileMode) error {
	f.do(func() error { return f.FS.MkdirAll(name, perm) })
	return nil
}

func (f *fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if f.err() != nil {
		if file, err := f.scratch.Open(name, opts...); err == nil {
			return file, nil
		}
	}
	return f.FS.Open(name, opts...)
}

func (f *fence) Stat(name string) (vfs.FileInfo, error) {
	if f.err() != nil {
		if info, err := f.scratch.Stat(name); err == nil && !info.IsDir() {
			return info, nil
		}
	}
	return f.FS.Stat(name)
}

func (f *fence) Unwrap() vfs.FS { return f.FS }

// fencedFile is a file on the disk, open for writing, or a folder.
type fencedFile struct {
	vfs.File
	fence *fence
	log   bool

	// table says that the file will be read again and Pebble can bear to do
	// without it: it is told of failures.
	table bool
}

// do runs op unless a write has failed before.
func (f *fencedFile) do(op func() error) error {
	f.fence.do(op)
	if f.table && f.fence.err() != nil {
		return errFenced
	}
	return nil
}

func (f *fencedFile) Write(p []byte) (int, error) {
	return len(p), f.do(func() error { _, err := f.File.Write(p); return err })
}

func (f *fencedFile) WriteAt(p []byte, off int64) (int, error) {
	return len(p), f.do(func() error { _, err := f.File.WriteAt(p, off); return err })
}

func (f *fencedFile) Sync() error { return f.do(f.measured(f.File.Sync)) }

func (f *fencedFile) SyncData() error { return f.do(f.measured(f.File.SyncData)) }

func (f *fencedFile) measured(sync func() error) func() error {
	if !f.log {
		return sync
	}
	return func() error { return f.fence.timed(sync) }
}

func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	err = f.do(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Close closes the file on the disk also after a failure, for its descriptor.
func (f *fencedFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.fence.trip(err)
	}
	if f.table && f.fence.err() != nil {
		return errFenced
	}
	return nil
}
