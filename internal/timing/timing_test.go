package timing

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	h := New([]time.Duration{time.Millisecond, time.Second})
	for _, d := range []time.Duration{-1, 0, time.Millisecond, time.Millisecond + 1, time.Second, time.Second + 1, time.Hour} {
		h.Observe(d)
	}
	s := h.Snapshot()
	if !slices.Equal(s.Counts, []uint64{3, 2, 2}) {
		t.Errorf("counts %v", s.Counts)
	}
	if want := -1 + 2*time.Millisecond + 1 + 2*time.Second + 1 + time.Hour; s.Sum != want || s.Count() != 7 {
		t.Errorf("sum %v of %d, want %v of 7", s.Sum, s.Count(), want)
	}
}

func TestPlus(t *testing.T) {
	a, b := New([]time.Duration{1, 2}), New([]time.Duration{1, 2})
	a.Observe(1)
	b.Observe(2)
	b.Observe(3)
	sum := Snapshot{}.Plus(a.Snapshot()).Plus(Snapshot{}).Plus(b.Snapshot())
	if !slices.Equal(sum.Counts, []uint64{1, 1, 1}) || sum.Sum != 6 {
		t.Errorf("%+v", sum)
	}
	if got := a.Snapshot(); got.Count() != 1 {
		t.Errorf("Plus changed what it added: %+v", got)
	}
}

func TestNoneIsLost(t *testing.T) {
	h := New([]time.Duration{1})
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 1000 {
				h.Observe(1)
			}
		})
	}
	running.Wait()
	if s := h.Snapshot(); s.Counts[0] != 8000 || s.Sum != 8000 {
		t.Errorf("%+v", s)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	h := New([]time.Duration{1, 2, 3})
	if n := testing.AllocsPerRun(100, func() { h.Observe(2) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
