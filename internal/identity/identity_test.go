package identity

import (
	"bytes"
	"testing"
)

func TestKey(t *testing.T) {
	k, other := New(), New()
	again := Of(k.Seed())
	if again.Origin() != k.Origin() || again.Public() != k.Public() || k.Origin() != OriginOf(k.Public()) || k.Origin() == 0 {
		t.Errorf("the key of the same seed speaks for %x, want %x", again.Origin(), k.Origin())
	}
	if other.Origin() == k.Origin() {
		t.Error("two keys speak for one origin")
	}
	msg := []byte("something")
	sig := k.Sign(msg)
	switch {
	case !Verify(k.Public(), msg, sig):
		t.Error("its own signature is refused")
	case Verify(other.Public(), msg, sig):
		t.Error("the signature of another key is accepted")
	case Verify(k.Public(), append(msg, 0), sig):
		t.Error("the signature of another message is accepted")
	}
	sig[40] ^= 1
	if Verify(k.Public(), msg, sig) {
		t.Error("a damaged signature is accepted")
	}
}

func BenchmarkSign(b *testing.B) {
	k, msg := New(), make([]byte, 600)
	for b.Loop() {
		k.Sign(msg)
	}
}

func BenchmarkVerify(b *testing.B) {
	k, msg := New(), make([]byte, 600)
	sig := k.Sign(msg)
	for b.Loop() {
		if !Verify(k.Public(), msg, sig) {
			b.Fatal("refused")
		}
	}
}

// TestShared: two keys share one secret, that no third shares with either; also for
// keys whose x is negative, and not with a point of low order.
func TestShared(t *testing.T) {
	for range 20 {
		a, b, c := New(), New(), New()
		ab, err := a.Shared(b.Public())
		if err != nil {
			t.Fatal(err)
		}
		ba, err := b.Shared(a.Public())
		if err != nil || !bytes.Equal(ab, ba) {
			t.Fatalf("they share %x and %x (%v)", ab, ba, err)
		}
		if ac, err := a.Shared(c.Public()); err != nil || bytes.Equal(ab, ac) {
			t.Errorf("a third shares the same (%v)", err)
		}
	}
	for _, low := range [][PublicSize]byte{{1}, {0}} {
		if _, err := New().Shared(low); err == nil {
			t.Errorf("%x is taken for a key", low)
		}
	}
}
