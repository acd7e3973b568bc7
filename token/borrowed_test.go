package token

import (
	"net/http/httptest"
	"testing"
	"unsafe"
)

// lend returns a string in a buffer, as web frameworks hand them out that use
// their buffers again, and what writes the next request's text into that buffer.
func lend(s string) (string, func(next string)) {
	buffer := []byte(s)
	return unsafe.String(&buffer[0], len(buffer)), func(next string) {
		if copy(buffer, next) != len(buffer) {
			panic("the texts differ in length")
		}
	}
}

// TestBorrowedToken: a verified token lay in a buffer that holds another one now.
// That has the memory of the first, and it is not it: every forged one is refused,
// whatever the cache finds where the first one was.
func TestBorrowedToken(t *testing.T) {
	for range 100 {
		v := newVerifier(t, nil, nil, hsIssuer())
		good := signHS(hsHeader, payload(`"jti":"1"`))
		raw, next := lend(good)
		if _, err := v.Verify(raw); err != nil {
			t.Fatal(err)
		}
		forged := []byte(good)
		forged[len(forged)-3] ^= 1
		next(string(forged))
		if _, err := v.Verify(raw); err == nil {
			t.Fatal("a forged token passes that lies where a good one lay")
		}
		if _, err := v.Verify(string(forged)); err == nil {
			t.Fatal("a forged token passes")
		}
		if _, err := v.Verify(good); err != nil {
			t.Fatal(err)
		}
		if st := v.CacheStats(); st.Hits != 1 {
			t.Fatalf("the good token is found %d times in the cache, want once", st.Hits)
		}
	}
}

// TestBorrowedConfiguration: what a constructor or SetIssuers keeps of its strings
// is a copy.
func TestBorrowedConfiguration(t *testing.T) {
	issuer, nextIssuer := lend(testIssuer)
	audience, nextAudience := lend(testAudience)
	alg, nextAlg := lend("HS256")
	typ, nextType := lend("at+jwt")
	v := newVerifier(t, nil, nil, IssuerConfig{
		Issuer: issuer, Audience: []string{audience}, Algorithms: []string{alg}, Types: []string{typ}, HS256Secret: []byte(testSecret),
	})
	nextIssuer("https://evil99.example")
	nextAudience("https://xyz.example")
	nextAlg("HS999")
	nextType("xt+jwt")
	raw := signHS(`{"alg":"HS256","typ":"at+jwt"}`, payload(`"jti":"1"`))
	got, err := v.Verify(raw)
	if err != nil || got.Token.Issuer != testIssuer {
		t.Errorf("%+v, %v", got, err)
	}

	scope, nextScope := lend("orders")
	q := Requirement{Scope: []string{scope}}.And(Requirement{})
	m := &middleware{}
	header, nextHeader := lend("X-Token")
	option, extract := RequireScope(scope), FromHeader(header)
	nextScope("x-rays")
	nextHeader("X-Other")
	option(m)
	if q.Scope[0] != "orders" || m.require.Scope[0] != "orders" {
		t.Errorf("required: %q and %q", q.Scope, m.require.Scope)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Token", "t")
	if raw, err := extract(r); raw != "t" {
		t.Errorf("extracted %q, %v", raw, err)
	}
}

// TestBorrowedSigner: an Issuer goes on to issue as whom it was made.
func TestBorrowedSigner(t *testing.T) {
	issuer, next := lend(testIssuer)
	keys, err := GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(atEpoch)
	i, err := NewIssuer(SignerConfig{Issuer: issuer, Keys: keys, Checker: n, Revoker: n, Now: atEpoch})
	if err != nil {
		t.Fatal(err)
	}
	next("https://evil99.example")
	if got := i.Trust().Issuer; got != testIssuer {
		t.Errorf("it issues as %q", got)
	}
	pair, err := i.Login(t.Context(), "alice", LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newVerifier(t, n, nil, i.Trust()).Verify(pair.AccessToken); err != nil {
		t.Error(err)
	}
}
