package filter

import (
	"errors"
	"fmt"
	"testing"

	"rescind"
)

// walked is the memory of s, counted anew.
func walked(s *Set) int {
	n := s.filter.Load().bytes()
	if next := s.renewal.next.Load(); next != nil {
		n += next.bytes()
	}
	for i := range s.views {
		n += s.views[i].Load().bytes()
	}
	return n
}

// However the set grows and shrinks, the memory it states is the memory it has.
func TestBytesAreCounted(t *testing.T) {
	s := newSet(0)
	check := func() {
		t.Helper()
		if got, want := s.Stats().Bytes, walked(s); got != want {
			t.Fatalf("%d bytes are stated with %d records, there are %d", got, s.Len(), want)
		}
	}
	check()
	for i := range 50_000 {
		r := record(fmt.Sprint(i), narrowFrom+rescind.Millis(i%2)<<32)
		if i%3 == 0 {
			r.IssuedBefore = narrowFrom // wide
		}
		s.Merge(r)
		if i%7 == 0 { // from narrow to wide
			r.ExpiresAt = narrowFrom + narrowSpan
			s.Merge(r)
		}
		if i%999 == 0 {
			check()
		}
	}
	for turn := range uint64(3 * numShards) {
		s.Sweep(turn, narrowFrom+1<<31)
		check()
	}
}

// Limits can be changed at any time: none drops a record, all hold from then on.
func TestLimitsChange(t *testing.T) {
	s := newSet(3)
	next := 0
	add := func() error {
		next++
		_, _, err := s.Add(record(fmt.Sprint(next), narrowFrom+narrowSpan-1))
		return err
	}
	want := func(full bool) {
		t.Helper()
		if err := add(); errors.Is(err, rescind.ErrFull) != full {
			t.Fatalf("with %d records in %d bytes: %v", s.Len(), s.Stats().Bytes, err)
		}
	}
	for range 3 {
		want(false)
	}
	want(true)
	s.SetLimits(4, 0)
	want(false)
	want(true)
	s.SetLimits(2, 0)
	want(true)
	if s.Len() != 4 {
		t.Errorf("%d records are left of 4", s.Len())
	}
	s.SetLimits(0, s.Stats().Bytes)
	want(true)
	s.SetLimits(0, 1<<20)
	for add() == nil {
	}
	if got := s.Stats().Bytes; got < 1<<20 || got > 1<<20+1<<18 {
		t.Errorf("a limit of 1 MiB lets the set take %d bytes", got)
	}
	if _, changed := s.Merge(record("of another node", narrowFrom+narrowSpan-1)); !changed {
		t.Error("what another node accepted is refused")
	}
	s.SetLimits(0, 0)
	want(false)
}
