package carrier

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

func newSealer(t testing.TB, key byte, cluster string) *Sealer {
	t.Helper()
	s, err := NewSealer([32]byte{key}, cluster)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealOpens(t *testing.T) {
	a, b := newSealer(t, 1, "prod"), newSealer(t, 1, "prod")
	for _, size := range []int{0, 1, 15, 16, 1200, MaxContent} {
		msg := big(size)
		sealed := a.Seal(msg)
		if len(sealed) != size+Overhead {
			t.Fatalf("%d bytes become %d; want %d more", size, len(sealed), Overhead)
		}
		for range 2 { // a replay opens: that is promised to be harmless above
			if got, err := b.Open(sealed); err != nil || !bytes.Equal(got, msg) {
				t.Fatalf("open %d bytes: %v", size, err)
			}
		}
	}
}

func TestSealRefusesLargeContent(t *testing.T) {
	s := newSealer(t, 1, "prod")
	if s.Seal(make([]byte, MaxContent+1)) != nil {
		t.Error("sealed more than MaxContent")
	}
	sealed := append(s.Seal(nil), make([]byte, MaxMessage)...)
	if _, err := s.Open(sealed); !errors.Is(err, ErrTooLarge) {
		t.Errorf("open more than MaxMessage: %v", err)
	}
}

func TestSealOfAnotherKeyOrCluster(t *testing.T) {
	sealed := newSealer(t, 1, "prod").Seal([]byte("hello"))
	for name, s := range map[string]*Sealer{
		"other key":     newSealer(t, 2, "prod"),
		"other cluster": newSealer(t, 1, "staging"),
		"longer name":   newSealer(t, 1, "prod2"),
		"shorter name":  newSealer(t, 1, "pro"),
	} {
		if _, err := s.Open(sealed); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSealTampered(t *testing.T) {
	s := newSealer(t, 1, "prod")
	sealed := s.Seal([]byte("log out alice"))
	for i := range sealed {
		for bit := range 8 {
			forged := slices.Clone(sealed)
			forged[i] ^= 1 << bit
			want := ErrForged
			if i < 2 {
				want = ErrForeignVersion
			}
			if _, err := s.Open(forged); !errors.Is(err, want) {
				t.Fatalf("bit %d of byte %d flipped: %v; want %v", bit, i, err, want)
			}
		}
	}
	for n := range sealed {
		want := ErrForged
		if n < Overhead {
			want = ErrTruncated
		}
		if _, err := s.Open(sealed[:n]); !errors.Is(err, want) {
			t.Fatalf("cut to %d bytes: %v; want %v", n, err, want)
		}
	}
	if _, err := s.Open(append(sealed, 0)); !errors.Is(err, ErrForged) {
		t.Errorf("extended: %v", err)
	}
}

func TestSealNeverRepeatsANonce(t *testing.T) {
	const goroutines, each = 8, 2000
	one := newSealer(t, 1, "prod")
	twin := newSealer(t, 1, "prod") // same key, as after a restart or on a cloned folder
	var mu sync.Mutex
	seen := make(map[string]bool)
	var running sync.WaitGroup
	for _, s := range []*Sealer{one, twin} {
		for range goroutines {
			running.Go(func() {
				for range each {
					nonce := string(s.Seal([]byte("x"))[2:headerSize])
					mu.Lock()
					seen[nonce] = true
					mu.Unlock()
				}
			})
		}
	}
	running.Wait()
	if len(seen) != 2*goroutines*each {
		t.Errorf("%d seals used %d pairs of salt and counter", 2*goroutines*each, len(seen))
	}
}

func TestSealRemembersBoundedSalts(t *testing.T) {
	s := newSealer(t, 1, "prod")
	flood := s.Seal([]byte("x"))
	for range 3 * maxSalts {
		rand.Read(flood[2:counterAt])
		if _, err := s.Open(flood); !errors.Is(err, ErrForged) {
			t.Fatal(err)
		}
	}
	if n := len(s.known.aeads); n != 0 {
		t.Errorf("%d made-up salts are remembered", n)
	}
	first := newSealer(t, 1, "prod")
	for _, other := range append([]*Sealer{first}, manySealers(t, maxSalts+10)...) {
		if _, err := s.Open(other.Seal([]byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	if a, r := len(s.known.aeads), len(s.known.ring); a != maxSalts || r != maxSalts {
		t.Errorf("%d ciphers and %d salts are remembered; want %d", a, r, maxSalts)
	}
	if _, known := s.known.get(first.salt); known {
		t.Error("the oldest salt has not made room")
	}
	if _, err := s.Open(first.Seal([]byte("x"))); err != nil {
		t.Errorf("a forgotten salt no longer opens: %v", err)
	}
}

func manySealers(t *testing.T, n int) []*Sealer {
	all := make([]*Sealer, n)
	for i := range all {
		all[i] = newSealer(t, 1, "prod")
	}
	return all
}

// The sealed form is spoken between versions; this one was made by version 1,
// and checked with another implementation of HKDF and AES-GCM.
func TestSealForm(t *testing.T) {
	const golden = "5201000102030405060708090a0b0c0d0e0f0000000000000007" +
		"2c9c8da4a72b1f0e68daf9c8d994227da1d7eb9a62"
	s := fixedSealer(t)
	s.counter.Store(6)
	if got := hex.EncodeToString(s.Seal([]byte("hello"))); got != golden {
		t.Errorf("sealed form is\n%s, want\n%s", got, golden)
	}
}

// fixedSealer has a salt that is not random.
func fixedSealer(t testing.TB) *Sealer {
	s := newSealer(t, 1, "prod")
	for i := range s.salt {
		s.salt[i] = byte(i)
	}
	var err error
	if s.own, err = s.derive(s.salt); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDeriveKey(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	a, b := DeriveKey(secret, "seal"), DeriveKey(secret, "memberlist")
	if a == b || a == DeriveKey(secret[1:], "seal") || a != DeriveKey(secret, "seal") {
		t.Error("keys must differ by purpose and secret, and by nothing else")
	}
	if got := hex.EncodeToString(a[:]); got != "3e07d612bc6e133647cb0599752e6ff76c66bac04a89a0c395287d092d733a96" {
		t.Errorf("the key for a purpose has changed to %s: existing clusters would fall apart", got)
	}
}

func TestNewSealerRefusesNames(t *testing.T) {
	for _, name := range []string{"", string(big(maxCluster + 1))} {
		if _, err := NewSealer([32]byte{}, name); err == nil {
			t.Errorf("accepted a name of %d bytes", len(name))
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := fixedSealer(f) // fuzzing runs in several processes, which must agree on what is no forgery
	sealed := s.Seal([]byte("hello"))
	f.Add(sealed)
	f.Add(sealed[:Overhead])
	f.Add([]byte{sealMagic})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		msg, err := s.Open(b)
		switch {
		case err == nil && (!bytes.Equal(b, sealed) || string(msg) != "hello"):
			t.Fatalf("opened a forgery: %x", b)
		case err != nil && !errors.Is(err, ErrForeignVersion) && !errors.Is(err, ErrTruncated) &&
			!errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrForged):
			t.Fatalf("undeclared error: %v", err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{100, 1000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, msg := newSealer(b, 1, "prod"), big(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s.Seal(msg)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	s := newSealer(b, 1, "prod")
	for _, size := range []int{100, 1000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			sealed := s.Seal(big(size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Open(sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("flood", func(b *testing.B) { // what an attacker's message costs
		forged := s.Seal(big(100))
		for i := 0; b.Loop(); i++ {
			forged[2], forged[3], forged[4] = byte(i), byte(i>>8), byte(i>>16)
			s.Open(forged)
		}
	})
}
