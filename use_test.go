package rescind

import (
	"testing"
	"time"
)

// A use covers its token for good, is no time, and two of them differ.
func TestUseCoversItsToken(t *testing.T) {
	now := MillisOf(time.Now())
	digest := MakeDigest(ScopeJTI, 1, 2)
	use := Use{At: now, Node: NodeOf(0xfedcba9876543210)}
	r := Record{Digest: digest, IssuedBefore: use.IssuedBefore()}
	if got, ok := r.Use(); !ok || got != use {
		t.Errorf("%+v became %+v", use, got)
	}
	if !r.Covers(now.Add(MaxLifetimeLimit)) || r.IssuedBefore >= Ever || !r.IssuedBefore.Time().IsZero() {
		t.Errorf("%d does not cover its token for good, or passes for a time", r.IssuedBefore)
	}
	for _, other := range []Use{{now, use.Node + 1}, {now + 1, use.Node}} {
		if other.IssuedBefore() == r.IssuedBefore {
			t.Errorf("%+v and %+v look the same", use, other)
		}
	}
	for _, at := range []Millis{0, -5, Ever, 1 << 42} {
		extreme := Record{Digest: digest, IssuedBefore: Use{At: at, Node: useNodeMask}.IssuedBefore()}
		if _, ok := extreme.Use(); !ok {
			t.Errorf("a clock at %d makes no use", at)
		}
	}
}

func TestRevocationsAreNoUses(t *testing.T) {
	for _, before := range []Millis{0, MillisOf(time.Now()), Ever} {
		if _, ok := (Record{Digest: MakeDigest(ScopeJTI, 1, 2), IssuedBefore: before}).Use(); ok {
			t.Errorf("%d passes for a use", before)
		}
	}
	if _, ok := (Record{Digest: MakeDigest(ScopeSub, 1, 2), IssuedBefore: Use{At: MillisOf(time.Now())}.IssuedBefore()}).Use(); ok {
		t.Error("a subject can be used")
	}
}

func TestModeIsReadAsWritten(t *testing.T) {
	for _, m := range []Mode{Available, Strict} {
		if got, err := ParseMode(m.String()); err != nil || got != m {
			t.Errorf("%v read as %v: %v", m, got, err)
		}
	}
	for _, s := range []string{"", "Strict", "mode(?)"} {
		if _, err := ParseMode(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}
