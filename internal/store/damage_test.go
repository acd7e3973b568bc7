package store

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rescind"
)

// folder is the files of a data folder.
type folder map[string][]byte

func folderOf(t testing.TB, fs vfs.FS) folder {
	t.Helper()
	names, err := fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	all := folder{}
	for _, name := range names {
		f, err := fs.Open("data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return all
}

// disk writes f, with contents in place of those of name; nil deletes the file.
func (f folder) disk(t testing.TB, name string, contents []byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("data", 0o700); err != nil {
		t.Fatal(err)
	}
	for n, b := range f {
		if n == name {
			b = contents
		}
		if b == nil && n == name {
			continue
		}
		file, err := fs.Create("data/"+n, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		// Write may change what it is given, and does under the race detector.
		if _, err := file.Write(bytes.Clone(b)); err != nil || file.Close() != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// fate is what Open and Load make of a damaged folder.
func fate(t testing.TB, fs vfs.FS) (set, error) {
	t.Helper()
	s, err := Open("data", Options{Logger: quiet, FS: fs})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	got, _, err := contents(s)
	return got, err
}

// used returns folders that hold want: after a crash, with much in the log; and
// after Close, with all in tables.
func used(t testing.TB) (want set, crashed, closed folder) {
	t.Helper()
	fs, want := vfs.NewCrashableMem(), set{}
	s := open(t, fs)
	write := func(from, to uint64) {
		for i := from; i < to; i++ {
			r := record(i, far+rescind.Millis(i*1e5))
			commit(t, s, Batch{Records: []rescind.Record{r}, Own: i + 1, Frontiers: []Frontier{{i % 3, Position{1, i}}}})
			want.join(r)
		}
	}
	write(0, 20)
	s.Close()
	s = open(t, fs)
	write(20, 40)
	crashed = folderOf(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	s.Close()
	return want, crashed, folderOf(t, fs)
}

// matters tells the files whose damage could cost a record. The others hold
// nothing: names are the message, or Pebble writes them anew.
func matters(name string) bool {
	return isTable(name) || isLog(name) || strings.HasPrefix(name, "MANIFEST")
}

// TestFlippedBitIsFoundOrHarmless flips one bit of each byte, in tables of each
// fifth, by itself. Either the folder is refused as damaged, or not a record is
// missing; but for the last commit, in the few bytes of it that share no sector
// with the rest.
func TestFlippedBitIsFoundOrHarmless(t *testing.T) {
	want, crashed, closed := used(t)
	for state, files := range map[string]folder{"crashed": crashed, "closed": closed} {
		for name, good := range files {
			if !matters(name) {
				continue
			}
			t.Run(state+"/"+name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, uint64(len(good))))
				found, harmless, cut := 0, 0, 0
				step := 1
				if isTable(name) {
					step = 5
				}
				for at := 0; at < len(good); at += step {
					bad := append([]byte(nil), good...)
					bad[at] ^= 1 << rng.IntN(8)
					switch got, err := fate(t, files.disk(t, name, bad)); {
					case err == nil && maps.Equal(got, want):
						harmless++
					case errors.Is(err, ErrCorrupt):
						found++
					case err == nil && isLog(name) && len(got) == len(want)-1 && at > len(good)-sector:
						cut++ // in the last chunk, where a sector begins or ends
					default:
						t.Errorf("byte %d of %d: %d records of %d, %v", at, len(good), len(got), len(want), err)
					}
				}
				if cut > few {
					t.Errorf("%d bytes cut the log", cut)
				}
				t.Logf("%d bytes: %d found, %d harmless, %d cut", len(good), found, harmless, cut)
			})
		}
	}
}

// TestTornLog cuts the log at every length, and leaves zeros in the sectors after
// every one. What is lost is an end: the records that stay are those before.
func TestTornLog(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	const n = 12
	for i := range uint64(n) {
		commit(t, s, Batch{Records: []rescind.Record{record(i, far)}, Own: i + 1})
	}
	files := folderOf(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	name, good := "", []byte(nil)
	for f, b := range files {
		if isLog(f) && f > name {
			name, good = f, b
		}
	}
	last := -1
	for length := range len(good) + 1 {
		for _, tail := range [][]byte{nil, make([]byte, 100), make([]byte, 2*blockLen)} {
			if tail != nil && length%sector != 0 {
				continue
			}
			s, err := Open("data", Options{Logger: quiet, FS: files.disk(t, name, append(good[:length:length], tail...))})
			if err != nil {
				t.Fatalf("cut at %d of %d with %d zeros: %v", length, len(good), len(tail), err)
			}
			got := load(t, s)
			for i := range uint64(len(got)) {
				if _, ok := got[record(i, far).Digest]; !ok {
					t.Errorf("cut at %d: %d records, but not %d", length, len(got), i)
				}
			}
			if own := s.Identity().Previous.Seq; own != uint64(len(got)) {
				t.Errorf("cut at %d: %d records and number %d", length, len(got), own)
			}
			if len(got) < last {
				t.Errorf("cut at %d: %d records, fewer than at a shorter length", length, len(got))
			}
			last = len(got)
			s.Close()
		}
	}
	if last != n {
		t.Errorf("%d records in the whole log, want %d", last, n)
	}
}

// TestLongLog has more than one block and a chunk across their border.
func TestLongLog(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	want := set{}
	for i := range uint64(2000) {
		b := Batch{Records: []rescind.Record{record(i, far)}}
		commit(t, s, b)
		want.join(b.Records[0])
	}
	files, long := folderOf(t, fs.CrashClone(vfs.CrashCloneCfg{})), 0
	for name, good := range files {
		if !isLog(name) || len(good) < 2*blockLen {
			continue
		}
		long++
		if got, err := fate(t, files.disk(t, name, good)); err != nil || !maps.Equal(got, want) {
			t.Fatalf("undamaged: %d records, %v", len(got), err)
		}
		for at := 0; at < len(good); at += 997 {
			bad := append([]byte(nil), good...)
			copy(bad[at:], "garbage of some bytes") // no flipped bit: found by what comes later
			got, err := fate(t, files.disk(t, name, bad))
			if !errors.Is(err, ErrCorrupt) && at < len(good)-2*1024 {
				t.Errorf("garbage at %d of %d: %d records, %v", at, len(good), len(got), err)
			}
		}
	}
	if long != 1 {
		t.Errorf("%d long logs", long)
	}
}

func TestMissingFiles(t *testing.T) {
	_, crashed, closed := used(t)
	for state, files := range map[string]folder{"crashed": crashed, "closed": closed} {
		for name := range files {
			if !isTable(name) && !strings.HasPrefix(name, "MANIFEST") && !strings.HasPrefix(name, "marker.manifest") {
				continue
			}
			if got, err := fate(t, files.disk(t, name, nil)); !errors.Is(err, ErrCorrupt) {
				// A manifest or table that nothing refers to may go.
				if err == nil && len(got) == 40 {
					continue
				}
				t.Errorf("%s, without %s: %d records, %v", state, name, len(got), err)
			}
		}
	}
}

// TestTornFirstOpen: a crash at any point of the very first Open leaves a folder
// that opens.
func TestTornFirstOpen(t *testing.T) {
	for after := range 200 {
		mem := vfs.NewCrashableMem()
		// Pebble deletes what it no longer needs from a goroutine of its own.
		var mu sync.Mutex
		var crashed *vfs.MemFS
		rng, n := rand.New(rand.NewPCG(uint64(after), 3)), 0
		fs := hook{mem, func() {
			mu.Lock()
			defer mu.Unlock()
			if n++; n == after+1 {
				crashed = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: after % 3 * 50, RNG: rng})
			}
		}}
		s, err := Open("data", Options{Logger: quiet, FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if crashed == nil {
			t.Logf("%d points", after)
			return
		}
		if got, err := fate(t, crashed); err != nil || len(got) > 0 {
			t.Errorf("crash at point %d: %v", after, err)
		}
	}
	t.Error("Open has no end")
}

// hook calls f before each operation on names.
type hook struct {
	vfs.FS
	f func()
}

func (h hook) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	h.f()
	return h.FS.Create(name, c)
}

func (h hook) Rename(from, to string) error { h.f(); return h.FS.Rename(from, to) }
func (h hook) Remove(name string) error     { h.f(); return h.FS.Remove(name) }
func (h hook) OpenDir(name string) (vfs.File, error) {
	h.f()
	return h.FS.OpenDir(name)
}

func TestDamagedEntries(t *testing.T) {
	for name, e := range map[string]struct{ key, value []byte }{
		"record in another bucket": {recordKey(record(1, far)), recordValue(record(1, far*2))},
		"record without a digest":  {append(bucketKey(bucketOf(far)), make([]byte, 16)...), recordValue(record(1, far))},
		"long record":              {append(recordKey(record(1, far)), 0), recordValue(record(1, far))},
		"short frontier":           {frontierKey(1)[:8], frontierValue(Frontier{})},
		"frontier of 15 bytes":     {frontierKey(1), make([]byte, 15)},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, vfs.NewMem())
			if err := s.db.Set(e.key, e.value, nil); err != nil {
				t.Fatal(err)
			}
			if _, _, err := contents(s); !errors.Is(err, ErrCorrupt) {
				t.Errorf("load: %v", err)
			}
		})
	}
	s := open(t, vfs.NewMem())
	if err := s.db.Merge([]byte("x"), nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.scan([]byte("x"), []byte("y"), func(_, _ []byte) error { return nil }); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an unknown key: %v", err)
	}
	// Pebble can't write it into a table either, for ever. Close must not wait
	// for that.
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
