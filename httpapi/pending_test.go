package httpapi

import (
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"rescind/internal/problem"
	"rescind/token"
)

// TestKeysThatHaveNotArrived: while the issuer's keys can't be had, nobody
// knows whether a token is good, and no endpoint may guess.
func TestKeysThatHaveNotArrived(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Verifier = newKeylessVerifier(t, c.Node) })
	raw := access(t)
	wantProblem(t, r.do("GET", "/v1/check", es256Header(raw), "", ""), problem.CannotKnow, "")
	wantProblem(t, r.do("DELETE", "/v1/session", es256Header(raw), "", ""), problem.CannotKnow, "")
	wantProblem(t, r.post("/v1/revocations", `{"token":"`+es256Header(raw)+`"}`), problem.NotReady, "")
	wantOAuthError(t, r.form("/oauth2/revoke", "", "token="+es256Header(raw)), http.StatusServiceUnavailable, "temporarily_unavailable")
	wantOAuthError(t, r.form("/oauth2/introspect", testAdmin, "token="+es256Header(raw)), http.StatusServiceUnavailable, "temporarily_unavailable")
	wantStatus(t, r.post("/v1/revocations", `{"scope":"jti","id":"x"}`), http.StatusCreated)
}

// newKeylessVerifier asks for its keys at a port where nobody listens.
func newKeylessVerifier(t *testing.T, c token.Checker) *token.Verifier {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{Issuer: testIssuer, Algorithms: []string{"ES256"}, JWKSURL: "http://" + ln.Addr().String() + "/jwks.json"}},
		Checker: c,
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// es256Header gives raw a header that names an algorithm of the absent keys.
func es256Header(raw string) string {
	_, rest, _ := strings.Cut(raw, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k1","typ":"at+jwt"}`)) + "." + rest
}
