package carrier

import (
	"bytes"
	"errors"
	"sync"
	"testing"
)

func sealer(t testing.TB, key byte, cluster string) *Sealer {
	t.Helper()
	s, err := NewSealer([32]byte{key}, cluster)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedMessagesOpen(t *testing.T) {
	a, b := sealer(t, 1, "c"), sealer(t, 1, "c")
	for _, msg := range [][]byte{nil, []byte("x"), make([]byte, 1<<20)} {
		got, err := b.Open(a.Seal(msg))
		if err != nil || !bytes.Equal(got, msg) {
			t.Errorf("%d bytes: %v", len(msg), err)
		}
	}
}

func TestBrokenSealsAreRefused(t *testing.T) {
	a := sealer(t, 1, "c")
	sealed := a.Seal([]byte("message"))
	for name, s := range map[string]*Sealer{"other key": sealer(t, 2, "c"), "other cluster": sealer(t, 1, "d")} {
		if _, err := s.Open(sealed); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := sealer(t, 1, "c")
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		if _, err := b.Open(damaged); err == nil {
			t.Errorf("byte %d may change", i)
		}
		if _, err := b.Open(sealed[:i]); err == nil {
			t.Errorf("%d of %d bytes are accepted", i, len(sealed))
		}
	}
	if _, err := b.Open(append(sealed, 0)); !errors.Is(err, ErrForged) {
		t.Errorf("a byte too many: %v", err)
	}
	if len(b.known) != 0 {
		t.Errorf("%d keys remembered of messages that were refused", len(b.known))
	}
	if _, err := b.Open(make([]byte, maxSealed+1)); !errors.Is(err, ErrForeign) {
		t.Errorf("a giant message: %v", err)
	}
}

func TestNoncesAreUnique(t *testing.T) {
	a := sealer(t, 1, "c")
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				header := string(a.Seal(nil)[:headerSize])
				mu.Lock()
				if seen[header] {
					t.Error("a nonce is used twice")
				}
				seen[header] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if other := sealer(t, 1, "c"); other.salt == a.salt {
		t.Error("two sealers share a salt")
	}
}

func TestKnownKeysAreBounded(t *testing.T) {
	b := sealer(t, 1, "c")
	for range maxKnownKeys + 50 {
		if _, err := b.Open(sealer(t, 1, "c").Seal([]byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.known) > maxKnownKeys {
		t.Errorf("%d keys are kept", len(b.known))
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, 1, "c")
	f.Add([]byte(nil))
	f.Add(s.Seal([]byte("message")))
	b := sealer(f, 2, "c")
	f.Fuzz(func(t *testing.T, msg []byte) {
		if _, err := b.Open(msg); err == nil {
			t.Errorf("%x is accepted under a key that sealed nothing", msg)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, msg := sealer(b, 1, "c"), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Open(s.Seal(msg)); err != nil {
			b.Fatal(err)
		}
	}
}
