package store

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestSupersededStaysClosed: a folder that was superseded is not opened again, also after a
// loss of power, until the file that says so is removed; then nothing is missing.
func TestSupersededStaysClosed(t *testing.T) {
	fs := vfs.NewCrashableMem()
	open := func() (*Store, error) { return Open("data", Options{FS: fs, Logger: slog.New(slog.DiscardHandler)}) }
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	origin := s.Identity().Origin
	if err := s.Commit(Batch{Own: 7}); err != nil {
		t.Fatal(err)
	}
	if err := s.Supersede(); err != nil {
		t.Fatal(err)
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, kept := range map[string]*vfs.MemFS{"closed": fs, "power lost": crashed} {
		fs = kept
		for range 3 {
			if s, err := open(); !errors.Is(err, ErrSuperseded) {
				t.Fatalf("%s: opened %v, %v", name, s != nil, err)
			}
		}
		if err := fs.Remove("data/" + supersededFile); err != nil {
			t.Fatal(err)
		}
		s, err := open()
		if err != nil {
			t.Fatalf("%s: after the file was removed: %v", name, err)
		}
		if id := s.Identity(); id.Origin != origin || id.Previous.Seq != 7 {
			t.Errorf("%s: comes back as %+v", name, id)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
