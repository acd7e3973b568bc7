package carrier

import (
	"bytes"
	"errors"
	"testing"
)

func newRing(t *testing.T, keys ...byte) *Ring {
	t.Helper()
	r, err := NewRing("prod", ringKeys(keys...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ringKeys(keys ...byte) (all [][32]byte) {
	for _, k := range keys {
		all = append(all, [32]byte{k})
	}
	return all
}

// Members that are one step of a rotation apart open each other's messages; a
// key that was left out opens nothing any more.
func TestRingRotates(t *testing.T) {
	a, b := newRing(t, 1), newRing(t, 1)
	msg := []byte("log out alice")
	opens := func(from, to *Ring) bool {
		got, err := to.Open(from.Seal(msg))
		if err != nil && !errors.Is(err, ErrForged) {
			t.Fatal(err)
		}
		return bytes.Equal(got, msg)
	}
	before := a.Seal(msg)
	for _, step := range [][]byte{{1, 2}, {2, 1}, {2}} { // install, use, remove
		for _, r := range []*Ring{a, b} {
			if err := r.Set(ringKeys(step...)); err != nil {
				t.Fatal(err)
			}
			if !opens(a, b) || !opens(b, a) {
				t.Fatalf("while going to %v the members don't understand each other", step)
			}
		}
		if len(step) == 2 {
			if _, err := b.Open(before); err != nil {
				t.Fatalf("with %v a message under the old key is refused: %v", step, err)
			}
		}
	}
	if _, err := b.Open(before); !errors.Is(err, ErrForged) {
		t.Errorf("a removed key is still accepted: %v", err)
	}
	if opens(newRing(t, 1), b) {
		t.Error("a member with nothing but the removed key is understood")
	}
}

// A key that stays keeps its counter: a nonce must not come again.
func TestRingKeepsCounters(t *testing.T) {
	r := newRing(t, 1)
	first := r.Seal(nil)
	for _, step := range [][]byte{{2, 1}, {1, 2}} {
		if err := r.Set(ringKeys(step...)); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(first[2:headerSize], r.Seal(nil)[2:headerSize]) {
		t.Error("a pair of salt and counter was used twice")
	}
}

func TestRingRefuses(t *testing.T) {
	r := newRing(t, 1)
	for name, keys := range map[string][][32]byte{"none": nil, "too many": ringKeys(1, 2, 3, 4, 5), "one twice": ringKeys(1, 2, 1)} {
		if r.Set(keys) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := r.Open(newRing(t, 1).Seal(nil)); err != nil {
		t.Errorf("after refused keys: %v", err)
	}
}
