package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind"
)

// TestFolderGetsAKey: a folder of a version that made no key gets one when it is
// opened, keeps it, and goes on building on what the folder held.
func TestFolderGetsAKey(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	if err := s.Commit(Batch{Own: 7, Records: []rescind.Record{record(1, 1<<40)}}); err != nil {
		t.Fatal(err)
	}
	epoch := s.Identity().Epoch
	old := meta{format: format, origin: 42, epoch: epoch}
	if err := errors.Join(s.db.Delete(keySeed, pebble.Sync), s.db.Set(keyMeta, old.append(nil), pebble.Sync)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	id := s.Identity()
	switch {
	case id.Origin == 42 || id.Origin != id.Key.Origin():
		t.Errorf("the origin is %x, that of its key %x", id.Origin, id.Key.Origin())
	case id.Previous != Position{epoch, 7} || id.Epoch <= epoch:
		t.Errorf("the new origin begins epoch %d after %v, want one after %d, 7", id.Epoch, id.Previous, epoch)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	if again := s.Identity(); again.Key.Public() != id.Key.Public() || again.Previous.Epoch != id.Epoch {
		t.Errorf("opened again it is %x after %v, want %x after epoch %d", again.Origin, again.Previous, id.Origin, id.Epoch)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestForeignKeyIsFound: a key that does not belong to the folder's identity is
// damage.
func TestForeignKeyIsFound(t *testing.T) {
	for name, seed := range map[string][]byte{"another": make([]byte, 32), "cut": make([]byte, 31)} {
		fs := vfs.NewCrashableMem()
		s := open(t, fs)
		if err := errors.Join(s.db.Set(keySeed, seed, pebble.Sync), s.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := Open("data", Options{FS: fs}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
