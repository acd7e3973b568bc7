package store

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"rescind"
)

// TestDropAgainstAMap compares with a plain map of everything ever committed,
// while the clock goes forth and back and the store is reopened: what has not
// lapsed is never gone, and what has for longer than a bucket is not there.
func TestDropAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		reopen := func() *Store {
			s, err := Open("data", Options{Logger: quiet, FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := reopen()
		defer func() { s.Close() }()
		model := set{}
		now, latest := rescind.Millis(1e12), rescind.Millis(0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			r := record(rapid.Uint64Range(0, 9).Draw(t, "n"), now+rescind.Millis(rapid.Int64Range(-36e5, 36e5).Draw(t, "expires")))
			r.IssuedBefore = now + rescind.Millis(rapid.Int64Range(-9, 9).Draw(t, "issued"))
			model.join(r) // as callers must: the store joins within a bucket only
			if err := s.Commit(Batch{Records: []rescind.Record{model[r.Digest]}}); err != nil {
				t.Fatal(err)
			}
			now += rescind.Millis(rapid.Int64Range(-12e5, 24e5).Draw(t, "step"))
			latest = max(latest, now)
			if err := s.Drop(now); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 5).Draw(t, "reopen") == 0 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = reopen()
			}
			checkAgainst(t, s, model, now, latest)
		}
	})
}

// checkAgainst holds s against the join of all that was ever committed, at now,
// when the latest Drop was at latest.
func checkAgainst(t *rapid.T, s *Store, model set, now, latest rescind.Millis) {
	var all []rescind.Record
	collect := func(r rescind.Record) { all = append(all, r) }
	if _, err := s.Load(0, collect); err != nil {
		t.Fatal(err)
	}
	joined := set{}
	for _, r := range all {
		joined.join(r)
		if r.Lapsed(now.Add(-BucketWidth)) {
			t.Fatalf("%v is still there at %d", r, now)
		}
	}
	for d, want := range model {
		if !want.Lapsed(latest) && joined[d] != want {
			t.Fatalf("%v is %v at %d", want, joined[d], latest)
		}
	}
	var live []rescind.Record
	if _, err := s.Load(now, func(r rescind.Record) { live = append(live, r) }); err != nil {
		t.Fatal(err)
	}
	if want := slices.DeleteFunc(all, func(r rescind.Record) bool { return r.Lapsed(now) }); !slices.Equal(live, want) {
		t.Fatalf("load at %d yields %v, want %v", now, live, want)
	}
}

// TestDropAtTheBorder: a record stays until its bucket's last possible one has
// lapsed, and goes with the next millisecond.
func TestDropAtTheBorder(t *testing.T) {
	width, margin := rescind.Millis(BucketWidth.Milliseconds()), rescind.Millis(rescind.RetentionMargin.Milliseconds())
	last := width*1000 - 1 // of its bucket
	s := open(t, vfs.NewMem())
	commit(t, s, Batch{Records: []rescind.Record{record(1, last), record(2, last-width+1), record(3, last+1)}})
	for _, c := range []struct {
		now  rescind.Millis
		want int
	}{{-1 << 63, 3}, {-1, 3}, {0, 3}, {margin - 1, 3}, {last, 3}, {last + margin, 3}, {last + margin + 1, 1}, {0, 1}, {last + margin + width, 1}, {last + margin + width + 1, 0}, {rescind.Ever, 0}} {
		if err := s.Drop(c.now); err != nil {
			t.Fatal(err)
		}
		if got := load(t, s); len(got) != c.want {
			t.Errorf("after a drop at %d: %d records, want %d", c.now, len(got), c.want)
		}
	}
}

// TestDropFreesTheDisk: what was dropped is not there after a crash and a
// reopen, and takes no room for long.
func TestDropFreesTheDisk(t *testing.T) {
	s := open(t, vfs.NewMem())
	for i := range uint64(50) {
		commit(t, s, many(i))
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	if err := s.Drop(far.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Compact(t.Context(), []byte("a"), []byte("z"), false); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s); len(got) != 0 {
		t.Errorf("%d records", len(got))
	}
	if m := s.db.Metrics(); m.Total().TablesSize > 10_000 {
		t.Errorf("tables of %d bytes remain", m.Total().TablesSize)
	}
	if before.Commits != 50 || before.Syncs < 50 || before.SyncTime <= 0 || before.DiskBytes < 1e6 || before.Failed != nil {
		t.Errorf("stats %+v", before)
	}
}

// FuzzEntries: whatever the disk says, decoding and joining end without a
// panic, and what is read is what was written.
func FuzzEntries(f *testing.F) {
	r, at := record(7, far), Frontier{1, Position{2, 3}}
	f.Add(recordKey(r), recordValue(r), recordValue(record(8, far)))
	f.Add(frontierKey(1), frontierValue(at), frontierValue(at))
	f.Add(keyOwn, make([]byte, 8), []byte("12345678"))
	f.Add(keyMeta, meta{format: format, origin: 1, epoch: 1}.append(nil), []byte{})
	f.Fuzz(func(t *testing.T, key, value, other []byte) {
		if r, err := recordOf(key, value); err == nil && !(bytes.Equal(recordKey(r)[1:], key[1:]) && bytes.Equal(recordValue(r), value)) {
			t.Errorf("record %x %x reads as %v", key, value, r)
		}
		if p, err := frontierOf(key, value); err == nil && !(bytes.Equal(frontierKey(p.Origin)[1:], key[1:]) && bytes.Equal(frontierValue(p), value)) {
			t.Errorf("frontier %x %x reads as %v", key, value, p)
		}
		if m, err := metaOf(value); err == nil && !bytes.Equal(m.append(nil), value) {
			t.Errorf("identity %x reads as %v", value, m)
		}
		if a, b := joined(key, value, other), joined(key, other, value); !bytes.Equal(a, b) {
			t.Errorf("key %x: %x and %x join to %x or %x", key, value, other, a, b)
		}
	})
}

func joined(key, a, b []byte) []byte {
	j, err := newJoin(key, a)
	if err != nil || j.MergeNewer(b) != nil {
		return nil
	}
	value, _, _ := j.Finish(true)
	return value
}

// FuzzInspect: no contents of a file make the inspection panic.
func FuzzInspect(f *testing.F) {
	_, crashed, _ := used(f)
	for name, b := range crashed {
		if number, ok := logNumber(name); ok || matters(name) && !isTable(name) {
			f.Add(b, number, ok)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, number uint32, log bool) {
		form := manifestForm
		if log {
			form = logForm
		}
		c := chunks{b, number, form}
		if end := c.end(); end > len(b)+blockLen {
			t.Errorf("end %d of %d", end, len(b))
		}
		c.inspect()
	})
}
