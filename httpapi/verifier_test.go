package httpapi

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"rescind"
	"rescind/token"
)

var testKey = []byte("jX2v9Q!r7Tz#Lm4Kp8Wd$Yc6Bn1Gs5Hf")

// newVerifier trusts one issuer and signs off what c does not know to be
// revoked.
func newVerifier(t testing.TB, c token.Checker) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{Issuer: testIssuer, Audience: []string{"api"}, Algorithms: []string{"HS256"}, HS256Secret: testKey}},
		Checker: c,
		Leeway:  rescind.MaxLeeway / 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func sign(t testing.TB, typ string, c jwt.MapClaims) string {
	t.Helper()
	tok := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	tok.Header["typ"] = typ
	raw, err := tok.SignedString(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func access(t testing.TB, pairs ...any) string  { return sign(t, token.TypeAccess, claims(pairs...)) }
func refresh(t testing.TB, pairs ...any) string { return sign(t, token.TypeRefresh, claims(pairs...)) }
