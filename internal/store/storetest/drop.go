package storetest

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rescind"
	"rescind/internal/store"
)

// dropAgainstAMap compares with a plain map of everything ever committed, while
// the clock goes forth and back and the store is reopened: what has not lapsed is
// never gone, and what has for longer than a bucket is not there.
func dropAgainstAMap(t *testing.T, b Backend) {
	rapid.Check(t, func(t *rapid.T) {
		p := b.New(t)
		s, _ := Open(t, p)
		model := Set{}
		width := b.BucketWidth.Milliseconds()
		now, latest := rescind.Millis(1e12), rescind.Millis(0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			r := Record(rapid.Uint64Range(0, 9).Draw(t, "n"), now+rescind.Millis(rapid.Int64Range(-6*width, 6*width).Draw(t, "expires")))
			r.IssuedBefore = now + rescind.Millis(rapid.Int64Range(-9, 9).Draw(t, "issued"))
			model.Join(r) // as callers must: a store may join within a bucket only
			Commit(t, s, store.Batch{Records: []rescind.Record{model[r.Digest]}})
			now += rescind.Millis(rapid.Int64Range(-2*width, 4*width).Draw(t, "step"))
			latest = max(latest, now)
			if err := s.Drop(context.Background(), now); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 5).Draw(t, "reopen") == 0 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = p.Open(t)
				if _, err := s.Load(context.Background(), 0, func(rescind.Record) {}); err != nil {
					t.Fatal(err)
				}
			}
			checkAgainst(t, b, s, model, now, latest)
		}
	})
}

// checkAgainst holds s against the join of all that was ever committed, at now,
// when the latest Drop was at latest.
func checkAgainst(t *rapid.T, b Backend, s Store, model Set, now, latest rescind.Millis) {
	var all []rescind.Record
	if _, err := s.Load(context.Background(), 0, func(r rescind.Record) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	joined := Set{}
	for _, r := range all {
		joined.Join(r)
		if r.Lapsed(now.Add(-b.BucketWidth)) {
			t.Fatalf("%v is still there at %d", r, now)
		}
	}
	for d, want := range model {
		if !want.Lapsed(latest) && joined[d] != want {
			t.Fatalf("%v is %v at %d", want, joined[d], latest)
		}
	}
	var live []rescind.Record
	if _, err := s.Load(context.Background(), now, func(r rescind.Record) { live = append(live, r) }); err != nil {
		t.Fatal(err)
	}
	if want := slices.DeleteFunc(all, func(r rescind.Record) bool { return r.Lapsed(now) }); !slices.Equal(live, want) {
		t.Fatalf("load at %d yields %v, want %v", now, live, want)
	}
}

// dropAtTheBorder: a record stays until its bucket's last possible one has
// lapsed, and goes with the next millisecond.
func dropAtTheBorder(t *testing.T, b Backend) {
	width, margin := rescind.Millis(b.BucketWidth.Milliseconds()), rescind.Millis(rescind.RetentionMargin.Milliseconds())
	last := width*1000 - 1 // of its bucket
	p := b.New(t)
	s, _ := Open(t, p)
	Commit(t, s, store.Batch{Records: []rescind.Record{Record(1, last), Record(2, last-width+1), Record(3, last+1)}})
	for _, c := range []struct {
		now  rescind.Millis
		want int
	}{{-1 << 63, 3}, {-1, 3}, {0, 3}, {margin - 1, 3}, {last, 3}, {last + margin, 3}, {last + margin + 1, 1}, {0, 1}, {last + margin + width, 1}, {last + margin + width + 1, 0}, {rescind.Ever, 0}} {
		if err := s.Drop(context.Background(), c.now); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var got Set
		if s, got = Open(t, p); len(got) != c.want {
			t.Errorf("after a drop at %d: %d records, want %d", c.now, len(got), c.want)
		}
	}
}
