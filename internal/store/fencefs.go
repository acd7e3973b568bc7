package store

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The operations that change names, and those that look for a file which may be
// in memory. What only reads goes to the disk.

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.create(name, category, func() (vfs.File, error) {
		file, err := f.FS.Create(name, category)
		if err == nil {
			f.usage.remove(name) // what was there is cut to nothing
		}
		return file, err
	})
}

func (f *fence) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	renamed := false
	return f.create(to, category, func() (file vfs.File, err error) {
		if renamed { // and then there was no descriptor
			file, err = f.FS.OpenReadWrite(to, category)
		} else if file, err = f.FS.ReuseForWrite(from, to, category); crowded(err) {
			_, there := f.FS.Stat(from)
			renamed = errors.Is(there, fs.ErrNotExist)
		}
		if err == nil {
			f.usage.rename(from, to)
		}
		return file, err
	})
}

func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.create(name, category, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, category, opts...) })
}

// OpenDir opens a folder, which Pebble does in order to sync it.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	var dir vfs.File
	err := f.opening(func() (err error) {
		dir, err = f.FS.OpenDir(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: dir, fence: f, name: name}, nil
}

func (f *fence) Link(from, to string) error {
	f.do(func() error { return f.FS.Link(from, to) })
	return nil
}

func (f *fence) Rename(from, to string) error {
	f.do(func() error { return f.FS.Rename(from, to) })
	if f.err() == nil {
		f.usage.rename(from, to)
	} else {
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
	err := f.FS.Remove(name)
	if err == nil {
		f.usage.remove(name)
	}
	return err
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
	var file vfs.File
	err := f.opening(func() (err error) {
		file, err = f.FS.Open(name, opts...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return file, nil
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
	name  string
	log   bool
	size  *fileSize // nil of a folder
	end   int64     // of what has been written

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
	return len(p), f.do(func() error {
		_, err := f.File.Write(p)
		f.end += int64(len(p))
		f.fence.usage.reaches(f.size, f.end)
		return err
	})
}

func (f *fencedFile) WriteAt(p []byte, off int64) (int, error) {
	return len(p), f.do(func() error {
		_, err := f.File.WriteAt(p, off)
		f.fence.usage.reaches(f.size, off+int64(len(p)))
		return err
	})
}

// Preallocate does nothing. Pebble asks for 1.1 times a table in memory for each
// log, 17.6 MiB, however little comes into it; what a file needs it gets anyway.
func (f *fencedFile) Preallocate(_, _ int64) error { return nil }

// Stat trips the fence if the disk can't even tell what a file is: Pebble ends the
// process where that is a log. It is told instead what was written.
func (f *fencedFile) Stat() (vfs.FileInfo, error) {
	if f.fence.err() == nil || f.table {
		info, err := f.File.Stat()
		if err == nil || f.table {
			return info, err
		}
		f.fence.trip(err)
	}
	return writtenInfo{f}, nil
}

// writtenInfo is what is known of a file without asking the disk.
type writtenInfo struct{ f *fencedFile }

func (i writtenInfo) Name() string           { return filepath.Base(i.f.name) }
func (i writtenInfo) Size() int64            { return i.f.end }
func (i writtenInfo) Mode() fs.FileMode      { return 0o600 }
func (i writtenInfo) ModTime() time.Time     { return time.Time{} }
func (i writtenInfo) IsDir() bool            { return i.f.size == nil }
func (i writtenInfo) Sys() any               { return nil }
func (i writtenInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

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
