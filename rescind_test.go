package rescind_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rescind"
)

func recordGen() *rapid.Generator[rescind.Record] {
	return rapid.Custom(func(t *rapid.T) rescind.Record {
		return rescind.Record{
			Digest:       rescind.MakeDigest(rapid.SampledFrom([]rescind.Scope{1, 2, 3, 4, 5, 6}).Draw(t, "scope"), rapid.Uint64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")),
			IssuedBefore: rescind.Millis(rapid.Int64Min(0).Draw(t, "before")),
			ExpiresAt:    rescind.Millis(rapid.Int64Min(0).Draw(t, "expires")),
		}
	})
}

// TestJoinIsASemilattice: any order and number of arrivals gives one result,
// and what was covered stays covered.
func TestJoinIsASemilattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := recordGen().Draw(t, "a"), recordGen().Draw(t, "b"), recordGen().Draw(t, "c")
		b.Digest, c.Digest = a.Digest, a.Digest
		if a.Join(b) != b.Join(a) || a.Join(b).Join(c) != a.Join(b.Join(c)) || a.Join(a) != a {
			t.Fatalf("join of %v, %v, %v", a, b, c)
		}
		at := rescind.Millis(rapid.Int64().Draw(t, "iat"))
		if a.Covers(at) && !a.Join(b).Covers(at) {
			t.Fatalf("%v covers %d, joined with %v it does not", a, at, b)
		}
		if !a.Lapsed(at) && a.Join(b).Lapsed(at) {
			t.Fatalf("%v lives at %d, joined with %v it does not", a, at, b)
		}
	})
}

func TestRecordSurvivesItsBinaryForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := recordGen().Draw(t, "record")
		b := r.Append(nil)
		got, err := rescind.RecordOf(b)
		if err != nil || got != r || len(b) != rescind.RecordSize {
			t.Fatalf("%v comes back as %v, %v", r, got, err)
		}
	})
}

func FuzzRecordOf(f *testing.F) {
	f.Add(rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeSub, 1, 2), IssuedBefore: 3, ExpiresAt: 4}.Append(nil))
	f.Add(make([]byte, rescind.RecordSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < rescind.RecordSize {
			return
		}
		if r, err := rescind.RecordOf(b); err == nil && !bytes.Equal(r.Append(nil), b[:rescind.RecordSize]) {
			t.Errorf("%x reads as %v", b, r)
		}
	})
}

// TestTimes is the table of what a revocation's times may be.
func TestTimes(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_500)
	const life = 24 * time.Hour
	for name, c := range map[string]struct {
		scope           rescind.Scope
		before, expires time.Time
		wantBefore      rescind.Millis
		wantExpires     rescind.Millis
		field           string
	}{
		"defaults of jti":           {scope: rescind.ScopeJTI, wantBefore: rescind.Ever, wantExpires: rescind.MillisOf(now.Add(life))},
		"defaults of sub":           {scope: rescind.ScopeSub, wantBefore: rescind.MillisOf(now), wantExpires: rescind.MillisOf(now.Add(life))},
		"fractions are rounded up":  {scope: rescind.ScopeSub, before: now.Add(-time.Nanosecond), expires: now.Add(time.Nanosecond), wantBefore: rescind.MillisOf(now), wantExpires: rescind.MillisOf(now) + 1},
		"just expired, with leeway": {scope: rescind.ScopeJTI, expires: now.Add(-time.Second), wantBefore: rescind.Ever, wantExpires: rescind.MillisOf(now.Add(-time.Second))},
		"long expired":              {scope: rescind.ScopeJTI, expires: now.Add(-time.Hour), field: "expires_at"},
		"1970":                      {scope: rescind.ScopeJTI, expires: time.Unix(0, 0), field: "expires_at"},
		"negative":                  {scope: rescind.ScopeJTI, expires: time.Unix(-1<<40, 0), field: "expires_at"},
		"beyond the lifetime":       {scope: rescind.ScopeJTI, expires: now.Add(life + time.Hour), field: "expires_at"},
		"overflow":                  {scope: rescind.ScopeJTI, expires: time.Unix(1<<62, 0), field: "expires_at"},
		"issued in the future":      {scope: rescind.ScopeSub, before: now.Add(time.Hour), field: "issued_before"},
		"issued before 1970":        {scope: rescind.ScopeSub, before: time.Unix(-5, 0), field: "issued_before"},
		"issued at the end of time": {scope: rescind.ScopeSub, before: time.Unix(1<<62, 0), field: "issued_before"},
	} {
		t.Run(name, func(t *testing.T) {
			before, expires, err := rescind.Revocation{Key: rescind.Key{Scope: c.scope}, IssuedBefore: c.before, ExpiresAt: c.expires}.Times(now, life)
			var invalid *rescind.InvalidError
			if c.field != "" {
				if !errors.As(err, &invalid) || invalid.Field != c.field {
					t.Errorf("error %v, want one about %s", err, c.field)
				}
				return
			}
			if err != nil || before != c.wantBefore || expires != c.wantExpires {
				t.Errorf("%d, %d, %v; want %d, %d", before, expires, err, c.wantBefore, c.wantExpires)
			}
		})
	}
}

func TestKeyValidate(t *testing.T) {
	long := string(bytes.Repeat([]byte("x"), rescind.MaxIDLen+1))
	for name, c := range map[string]struct {
		key   rescind.Key
		field string
	}{
		"good":             {rescind.Key{Scope: rescind.ScopeJTI, Issuer: "i", ID: "x"}, ""},
		"iss without id":   {rescind.Key{Scope: rescind.ScopeIss, Issuer: "i"}, ""},
		"iss with itself":  {rescind.Key{Scope: rescind.ScopeIss, Issuer: "i", ID: "i"}, ""},
		"iss with another": {rescind.Key{Scope: rescind.ScopeIss, Issuer: "i", ID: "j"}, "id"},
		"derived":          {rescind.Key{Scope: rescind.ScopeJTI, Issuer: "i", ID: rescind.DerivedIDPrefix + "x"}, ""},
		"no scope":         {rescind.Key{Issuer: "i", ID: "x"}, "scope"},
		"odd scope":        {rescind.Key{Scope: 7, Issuer: "i", ID: "x"}, "scope"},
		"no issuer":        {rescind.Key{Scope: rescind.ScopeJTI, ID: "x"}, "iss"},
		"no id":            {rescind.Key{Scope: rescind.ScopeJTI, Issuer: "i"}, "id"},
		"long":             {rescind.Key{Scope: rescind.ScopeJTI, Issuer: "i", ID: long}, "id"},
		"long issuer":      {rescind.Key{Scope: rescind.ScopeJTI, Issuer: long, ID: "x"}, "iss"},
		"NUL":              {rescind.Key{Scope: rescind.ScopeJTI, Issuer: "i", ID: "a\x00b"}, "id"},
		"no UTF-8":         {rescind.Key{Scope: rescind.ScopeJTI, Issuer: "i", ID: "\xff"}, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.key.Validate()
			var invalid *rescind.InvalidError
			if errors.As(err, &invalid) != (c.field != "") || c.field != "" && invalid.Field != c.field {
				t.Errorf("error %v, want one about %q", err, c.field)
			}
		})
	}
}

func TestAckTexts(t *testing.T) {
	for text, want := range map[string]rescind.Ack{"": rescind.AckDefault, "local": rescind.AckLocal, "majority": rescind.AckMajority, "all": rescind.AckAll, "3": 3} {
		got, err := rescind.ParseAck(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseAck(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"-1", "ALL", "1.5", "99999999999999999999", "10001"} {
		if got, err := rescind.ParseAck(text); err == nil {
			t.Errorf("ParseAck(%q) = %v", text, got)
		}
	}
}
