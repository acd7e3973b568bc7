package filter

import (
	"strings"
	"testing"
	"unique"
	"unsafe"

	"rescind"
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

// TestBorrowedStrings: the texts of a token may lie in a buffer that is used
// again. Whatever was checked before, a revoked token is refused and no other is.
func TestBorrowedStrings(t *testing.T) {
	const ours, theirs = "https://a.example", "https://b.example"
	for name, field := range map[string]func(*rescind.Token) *string{
		"issuer":    func(t *rescind.Token) *string { return &t.Issuer },
		"jti":       func(t *rescind.Token) *string { return &t.ID },
		"sid":       func(t *rescind.Token) *string { return &t.Session },
		"sub":       func(t *rescind.Token) *string { return &t.Subject },
		"client_id": func(t *rescind.Token) *string { return &t.ClientID },
		"kid":       func(t *rescind.Token) *string { return &t.KeyID },
	} {
		t.Run(name, func(t *testing.T) {
			revoked := rescind.Token{
				Issuer: ours, ID: "1234567", Session: "s", Subject: "u", ClientID: "c", KeyID: "k", IssuedAt: 5,
			}
			before := strings.Repeat("x", len(*field(&revoked)))
			if name == "issuer" {
				before = theirs
			}
			for _, scope := range rescind.Scopes() {
				s := newSet(0)
				revoke := func(k rescind.Key) {
					s.Merge(rescind.Record{Digest: s.Digest(k), IssuedBefore: rescind.Ever, ExpiresAt: 1 << 50})
				}
				revoke(rescind.Key{Scope: rescind.ScopeKID, Issuer: ours, ID: "another"})
				k := rescind.Key{Scope: scope, Issuer: ours, ID: revoked.Value(scope)}
				if scope == rescind.ScopeIss {
					k.ID = ""
				}
				revoke(k)

				token := revoked
				borrowed, next := lend(before)
				*field(&token) = borrowed
				// Nothing but the claim that matches the record decides.
				matters := name == scope.String() || name == "issuer"
				for range 2 {
					if got := s.Revoked(&token); got == matters {
						t.Errorf("%s: the first request's token: revoked is %t", scope, got)
					}
				}
				next(*field(&revoked))
				if !s.Revoked(&token) {
					t.Errorf("%s: a revoked token passes whose %s lies where another one lay", scope, name)
				}
				next(before)
				if got := s.Revoked(&token); got == matters {
					t.Errorf("%s: the first request's token comes again: revoked is %t", scope, got)
				}
			}
		})
	}
}

// TestVerifiersIssuerIsFoundByItsAddress: the value of a unique.Handle, which is
// what package token hands out, costs no comparison of texts, whoever came first.
func TestVerifiersIssuerIsFoundByItsAddress(t *testing.T) {
	s := newSet(0)
	s.Merge(record("x", 1<<50))
	borrowed, _ := lend("https://issuer.example")
	s.Revoked(&rescind.Token{Issuer: borrowed, ID: "y"})
	handle := unique.Make(strings.Clone("https://issuer.example"))
	if s.issuers.same(handle.Value()) == nil {
		t.Error("the issuer is not known by its address")
	}
	if s.issuers.same(borrowed) != nil {
		t.Error("the caller's string was kept")
	}
}
