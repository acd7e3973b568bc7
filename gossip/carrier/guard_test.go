package carrier

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// TestGuard: each message is let in once, and once more by each other transport as a
// duplicate that is no cause for alarm; what is older than the window is not.
func TestGuard(t *testing.T) {
	var g Guard
	s := newSealer(t, 1, "prod")
	var all [][]byte
	for range guardWindow + 100 {
		all = append(all, s.Seal([]byte("x")))
	}
	for i, c := range []struct {
		n, path int
		want    error
	}{
		{10, 0, nil}, {10, 0, ErrReplayed}, {10, 1, ErrDuplicate}, {10, 1, ErrReplayed},
		{12, 1, nil}, {11, 0, nil}, {12, 0, ErrDuplicate}, {11, 0, ErrReplayed},
		{5, 0, nil}, {5, 0, ErrReplayed}, // dated as of now
		{guardWindow + 50, 0, nil}, {49, 0, ErrReplayed}, {60, 0, nil}, {60, 1, ErrDuplicate}, {12, 0, ErrReplayed},
	} {
		if seen := g.Seen(c.path, all[c.n]); seen != nil && !errors.Is(seen, c.want) {
			t.Errorf("%d: message %d by %d has been seen: %v, want %v", i, c.n, c.path, seen, c.want)
		}
		if err := g.Admit(c.path, all[c.n], true); !errors.Is(err, c.want) {
			t.Errorf("%d: message %d by %d: %v, want %v", i, c.n, c.path, err, c.want)
		}
	}
}

// TestGuardAgainstAModel: in whatever order messages come, the guard says what a set
// would say that remembers everything.
func TestGuardAgainstAModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	p := &process{}
	seen := map[[2]uint64]bool{}
	for range 200_000 {
		top := p.top
		counter := top + rng.Uint64N(200) - min(top, 150)
		if rng.IntN(1000) == 0 {
			counter = top + rng.Uint64N(2*guardWindow)
		}
		path := rng.IntN(2)
		err := p.check(path, counter)
		late := counter <= top && top-counter >= guardWindow
		switch {
		case late || seen[[2]uint64{uint64(path), counter}]:
			if !errors.Is(err, ErrReplayed) {
				t.Fatalf("%d by %d again: %v", counter, path, err)
			}
			continue
		case seen[[2]uint64{uint64(1 - path), counter}]:
			if !errors.Is(err, ErrDuplicate) {
				t.Fatalf("%d by %d after the other: %v", counter, path, err)
			}
		case err != nil:
			t.Fatalf("%d by %d for the first time: %v", counter, path, err)
		}
		p.mark(path, counter)
		seen[[2]uint64{uint64(path), counter}] = true
	}
}

// TestGuardIsBounded: whoever sends what it has recorded of many processes displaces none that
// is sending now, and what was recorded of one before it was first seen is not let in.
func TestGuardIsBounded(t *testing.T) {
	var g Guard
	live := newSealer(t, 1, "prod")
	before := live.Seal([]byte("x"))
	now := live.Seal([]byte("x"))
	if err := g.Admit(0, now, true); err != nil {
		t.Fatal(err)
	}
	if err := g.Admit(0, before, false); !errors.Is(err, ErrReplayed) {
		t.Errorf("recorded before the process was first seen: %v", err)
	}
	for _, old := range manySealers(t, 3*maxDoubtful) {
		if err := g.Admit(0, old.Seal([]byte("x")), false); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(g.doubtful); n != maxDoubtful {
		t.Errorf("%d doubtful processes are remembered, want %d", n, maxDoubtful)
	}
	if err := g.Seen(0, now); !errors.Is(err, ErrReplayed) {
		t.Errorf("a flood of recorded messages has displaced a process that is sending: %v", err)
	}
	for _, other := range manySealers(t, maxGuarded+10) {
		if err := g.Admit(0, other.Seal([]byte("x")), true); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(g.sure); n != maxGuarded {
		t.Errorf("%d processes are remembered, want %d", n, maxGuarded)
	}
}

// A guarded message is one that is opened and let in; a second copy is not opened.
func BenchmarkGuard(b *testing.B) {
	s, msg := newSealer(b, 1, "prod"), big(100)
	b.Run("new", func(b *testing.B) {
		var g Guard
		sealed := s.Seal(msg)
		b.ReportAllocs()
		for i := uint64(1); b.Loop(); i++ {
			sealed[counterAt+7], sealed[counterAt+6], sealed[counterAt+5], sealed[counterAt+4] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
			if g.Seen(0, sealed) != nil || g.Admit(0, sealed, true) != nil {
				b.Fatal("seen")
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		var g Guard
		sealed := s.Seal(msg)
		if err := g.Admit(0, sealed, true); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if g.Seen(1, sealed) == nil {
				b.Fatal("new")
			}
		}
	})
}
