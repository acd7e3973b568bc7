package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"rescind"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

const far = rescind.Millis(4e12)

func record(n uint64, expires rescind.Millis) rescind.Record {
	return rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, n+1, n<<8), IssuedBefore: rescind.Ever, ExpiresAt: expires}
}

func open(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open("data", Options{Logger: quiet, FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t testing.TB, s *Store, b Batch) {
	t.Helper()
	if err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
}

type set map[rescind.Digest]rescind.Record

func (m set) join(r rescind.Record) {
	if old, ok := m[r.Digest]; ok {
		r = r.Join(old)
	}
	m[r.Digest] = r
}

// contents returns what s holds, or Load's error.
func contents(s *Store) (set, []Frontier, error) {
	got := set{}
	frontiers, err := s.Load(0, got.join)
	return got, frontiers, err
}

func load(t testing.TB, s *Store) set {
	t.Helper()
	got, _, err := contents(s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFolderIsPrivateAndItsParentsAreDurable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := Open(dir+"/", Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", d, info.Mode(), err)
		}
	}

	mem := vfs.NewCrashableMem()
	deep, err := Open("x/y/z", Options{Logger: quiet, FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer deep.Close()
	again, err := Open("x/y/z", Options{Logger: quiet, FS: mem.CrashClone(vfs.CrashCloneCfg{})})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Identity().Origin != deep.Identity().Origin {
		t.Error("a power failure took the new folder")
	}
}

func TestOneStorePerFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "data")
	t.Chdir(parent)
	if err := os.Symlink(parent, filepath.Join(parent, "link")); err != nil {
		t.Fatal(err)
	}
	s, err := Open("link/data", Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{dir, "data", "./data/", "link/data", "link/../data"} {
		if _, err := Open(name, Options{Logger: quiet}); !errors.Is(err, ErrLocked) {
			t.Errorf("second open as %s: %v", name, err)
		}
	}
	commit(t, s, Batch{Records: []rescind.Record{record(1, far)}})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := load(t, again); len(got) != 1 {
		t.Errorf("after a reopen: %v", got)
	}
}

func TestOpenRefusals(t *testing.T) {
	set := func(key, value []byte) func(*Store) error {
		return func(s *Store) error { return s.db.Set(key, value, pebble.Sync) }
	}
	fine := meta{format: format, origin: 1, epoch: 1}
	newer, last, nobody := fine, fine, fine
	newer.format++
	last.epoch--
	last.epoch-- // wraps round to the largest
	nobody.origin = 0
	for name, c := range map[string]struct {
		prepare func(*Store) error
		key     [16]byte
		want    error
	}{
		"another key":             {func(*Store) error { return nil }, [16]byte{1}, ErrOtherCluster},
		"a newer format":          {set(keyMeta, newer.append(nil)), [16]byte{}, ErrFormat},
		"no epoch left":           {set(keyMeta, last.append(nil)), [16]byte{}, ErrCorrupt},
		"nobody":                  {set(keyMeta, nobody.append(nil)), [16]byte{}, ErrCorrupt},
		"a short identity":        {set(keyMeta, fine.append(nil)[:39]), [16]byte{}, ErrCorrupt},
		"an empty identity":       {set(keyMeta, nil), [16]byte{}, ErrCorrupt},
		"a short number":          {set(keyOwn, []byte{1}), [16]byte{}, ErrCorrupt},
		"records but no identity": {func(s *Store) error { return s.db.Delete(keyMeta, pebble.Sync) }, [16]byte{}, ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := open(t, fs)
			if err := errors.Join(c.prepare(s), s.Close()); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a refusal must not keep the lock
				if got, err := Open("data", Options{Logger: quiet, FS: fs, KeyCheck: c.key}); !errors.Is(err, c.want) {
					t.Errorf("%v, %v; want %v", got, err, c.want)
				}
			}
		})
	}
}

func TestNewerPebbleIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	open(t, fs).Close()
	if f, err := fs.Create("data/marker.format-version.999999.999", vfs.WriteCategoryUnspecified); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if _, err := Open("data", Options{Logger: quiet, FS: fs}); !errors.Is(err, ErrFormat) {
		t.Errorf("open: %v", err)
	}
}

func TestEpochsRise(t *testing.T) {
	fs := vfs.NewMem()
	now := time.UnixMilli(1e12)
	var last Identity
	for i, step := range []time.Duration{0, time.Hour, -24 * time.Hour, -24 * time.Hour, 0, -1e4 * time.Hour * 24 * 3} {
		now = now.Add(step)
		s, err := Open("data", Options{Logger: quiet, FS: fs, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		id := s.Identity()
		if id.Origin == 0 || id.Epoch > 2e12 || i == 0 && id.Previous != (Position{}) ||
			i > 0 && (id.Origin != last.Origin || id.Epoch <= last.Epoch || id.Previous != Position{last.Epoch, uint64(i - 1)}) {
			t.Errorf("open %d: identity %+v after %+v", i, id, last)
		}
		last = id
		if i > 0 {
			commit(t, s, Batch{Own: uint64(i)})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRolledBackFolderStartsAnUnusedEpoch restores an old copy of the folder
// while the clock goes on.
func TestRolledBackFolderStartsAnUnusedEpoch(t *testing.T) {
	now := time.UnixMilli(1e12)
	openAt := func(fs vfs.FS) *Store {
		now = now.Add(5 * time.Millisecond)
		s, err := Open("data", Options{Logger: quiet, FS: fs, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	fs := vfs.NewCrashableMem()
	s := openAt(fs)
	old, used := fs.CrashClone(vfs.CrashCloneCfg{}), []uint64{s.Identity().Epoch}
	for range 3 {
		s.Close()
		s = openAt(fs)
		used = append(used, s.Identity().Epoch)
	}
	s.Close()
	s = openAt(old)
	defer s.Close()
	if id := s.Identity(); slices.Contains(used, id.Epoch) || id.Previous.Epoch != used[0] {
		t.Errorf("identity %+v; used before: %v", id, used)
	}
}

func TestClosedStore(t *testing.T) {
	s := open(t, vfs.NewMem())
	commit(t, s, Batch{Records: []rescind.Record{record(1, far)}})
	s.Close()
	_, _, err := contents(s)
	for what, err := range map[string]error{"commit": s.Commit(Batch{}), "drop": s.Drop(far), "load": err} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if st := s.Stats(); st.Commits != 1 || st.DiskBytes != 0 || st.Failed != nil {
		t.Errorf("stats %+v", st)
	}
}

func ExampleStore_Load() {
	fs := vfs.NewMem()
	s, _ := Open("data", Options{Logger: quiet, FS: fs})
	r := record(1, far)
	later := r
	later.ExpiresAt = far.Add(time.Hour)
	s.Commit(Batch{Records: []rescind.Record{r}})
	s.Commit(Batch{Records: []rescind.Record{later}})
	s.Load(0, func(r rescind.Record) { fmt.Println(r.ExpiresAt.Time().Format(time.DateTime)) })
	s.Close()
	// Output:
	// 2096-10-02 07:06:40
	// 2096-10-02 08:06:40
}
