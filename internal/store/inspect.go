package store

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// inspect looks for damage that Pebble would take for the end of a file. Pebble
// reads a log or a manifest up to the first chunk that does not check out. In the
// manifest that may hide every later table, which it then deletes; in the log,
// commits that were acknowledged.
func inspect(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("list the folder: %w", err)
	}
	found, err := pebble.Peek(dir, fs)
	if err != nil {
		return openError(err)
	}
	if !found.Exists {
		return mustBeFresh(names)
	}
	if err := inspectFile(fs, found.ManifestFilename, math.MaxUint32, manifestForm); err != nil {
		return err
	}
	for _, name := range names {
		number, ok := logNumber(name)
		if !ok {
			continue
		}
		if err := inspectFile(fs, fs.PathJoin(dir, name), number, logForm); err != nil {
			return err
		}
	}
	return nil
}

// mustBeFresh refuses a folder that holds data but does not say which file
// describes it: Pebble would begin anew and remove the rest.
func mustBeFresh(names []string) error {
	for _, name := range names {
		if isTable(name) || isLog(name) {
			return damaged("%s, but nothing that says what belongs together", name)
		}
	}
	return nil
}

// logNumber reads "000012.log". The file's chunks carry the low 32 bits.
func logNumber(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, ".log")
	n, err := strconv.ParseUint(digits, 10, 64)
	return uint32(n), ok && err == nil
}

func inspectFile(fs vfs.FS, path string, number uint32, form chunkForm) error {
	f, err := fs.Open(path)
	if err != nil {
		return corrupt(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return corrupt(err)
	}
	if err := (chunks{b, number, form}).inspect(); err != nil {
		return fmt.Errorf("%s: %w", fs.PathBase(path), err)
	}
	return nil
}
