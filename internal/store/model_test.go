package store

import (
	"bytes"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

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
	if before.Commits != 50 || before.Syncs.Count() < 50 || before.Syncs.Sum <= 0 || before.DiskBytes < 1e6 || before.Failed != nil {
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
