package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/internal/problem"
	"rescind/token"
)

func wantOAuthError(t testing.TB, rec *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	wantStatus(t, rec, status)
	got := decode[problem.OAuthBody](t, rec.Body)
	if got.Error != code || strings.ContainsAny(got.Description, `"\`) {
		t.Errorf("error %+v, want %s", got, code)
	}
}

func TestOAuthRevokeAccessToken(t *testing.T) {
	for _, hint := range []string{"", "&token_type_hint=access_token", "&token_type_hint=refresh_token", "&token_type_hint=nonsense"} {
		r := newRig(t)
		raw, sibling := access(t), access(t, "jti", "token-2")
		rec := r.form("/oauth2/revoke", "", "token="+raw+hint)
		wantStatus(t, rec, http.StatusOK)
		if rec.Body.Len() != 0 || rec.Header().Get("Cache-Control") != "no-store" || rec.Header().Get("Pragma") != "no-cache" {
			t.Errorf("%s %v", rec.Body, rec.Header())
		}
		wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
		wantStatus(t, r.do("GET", "/v1/check", sibling, "", ""), http.StatusOK)
		wantStatus(t, r.form("/oauth2/revoke", "", "token="+raw), http.StatusOK)
	}
}

func TestOAuthRevokeRefreshTokenEndsTheSession(t *testing.T) {
	r := newRig(t)
	wantStatus(t, r.form("/oauth2/revoke", "", "token="+refresh(t, "jti", "refresh-1")+"&token_type_hint=access_token"), http.StatusOK)
	wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
	wantStatus(t, r.do("GET", "/v1/check", access(t, "sid", "session-2"), "", ""), http.StatusOK)
}

func TestOAuthRevokeIsSilentAboutTokensItCannotRevoke(t *testing.T) {
	raw := access(t)
	r := newRig(t)
	for _, token := range []string{"x", raw[:len(raw)-6] + "AAAAAA", access(t, "exp", time.Now().Add(-time.Hour).Unix()), access(t, "iss", "https://other.example"), strings.Repeat("a.", 9000), raw + "\n"} {
		rec := r.form("/oauth2/revoke", "", url.Values{"token": {token}}.Encode())
		wantStatus(t, rec, http.StatusOK)
		if rec.Body.Len() != 0 {
			t.Errorf("body %s", rec.Body)
		}
	}
	if len(r.node.all()) != 0 {
		t.Error("something was revoked")
	}
}

// A verifier elsewhere may still accept a token that has just expired here.
func TestOAuthRevokeTakesATokenWithinTheLeeway(t *testing.T) {
	r := newRig(t)
	wantStatus(t, r.form("/oauth2/revoke", "", "token="+access(t, "exp", time.Now().Add(-20*time.Second).Unix())), http.StatusOK)
	if len(r.node.all()) != 1 {
		t.Error("nothing was revoked")
	}
}

// A 200 would promise that the token never works; it would in an hour.
func TestOAuthRevokeDoesNotPromiseForTokensThatAreNotValidYet(t *testing.T) {
	r := newRig(t)
	raw := access(t, "nbf", time.Now().Add(time.Hour).Unix(), "exp", time.Now().Add(2*time.Hour).Unix())
	wantOAuthError(t, r.form("/oauth2/revoke", "", "token="+raw), http.StatusServiceUnavailable, "temporarily_unavailable")
}

func TestOAuthRevokeOfAnotherClientIsRefused(t *testing.T) {
	r := newRig(t)
	wantOAuthError(t, r.form("/oauth2/revoke", "", "client_id=thief&token="+access(t)), http.StatusBadRequest, "invalid_grant")
	wantStatus(t, r.form("/oauth2/revoke", "", "client_id=app&token="+access(t)), http.StatusOK)
	if len(r.node.all()) != 1 {
		t.Error("the wrong number was revoked")
	}
}

func TestOAuthRevokeIgnoresTheURL(t *testing.T) {
	r := newRig(t)
	wantOAuthError(t, r.form("/oauth2/revoke?token="+access(t), "", "token_type_hint=access_token"), http.StatusBadRequest, "invalid_request")
}

func TestOAuthBadForms(t *testing.T) {
	r := newRig(t)
	for _, target := range []string{"/oauth2/revoke", "/oauth2/introspect"} {
		for _, body := range []string{"", "token=", "token_type_hint=x", "token=a&token=b", "token=a&client_id=x&client_id=y", "token=%zz", "token=%ff", ";", "token=a;b"} {
			wantOAuthError(t, r.form(target, testAdmin, body), http.StatusBadRequest, "invalid_request")
		}
		wantProblem(t, r.do("GET", target, testAdmin, "", ""), problem.Method, "")
	}
}

func TestOAuthRevokeIsUnavailableWhereItCannotBeKept(t *testing.T) {
	r := newRig(t)
	r.node.err = rescind.ErrFull
	rec := r.form("/oauth2/revoke", "", "token="+access(t))
	wantOAuthError(t, rec, http.StatusServiceUnavailable, "temporarily_unavailable")
}

func TestOAuthRevokeUnconfirmedStands(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AckTimeout = 10 * time.Millisecond })
	r.node.hang = true
	wantStatus(t, r.form("/oauth2/revoke", "", "token="+access(t)), http.StatusOK)
	wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
}

func TestIntrospectActive(t *testing.T) {
	r := newRig(t)
	c := claims("scope", "read write", "username", "Alice", "nbf", time.Now().Add(-time.Minute).Unix(), "aud", []string{"api", "other"})
	rec := r.form("/oauth2/introspect", testAdmin, "token="+sign(t, "at+jwt", c))
	wantStatus(t, rec, http.StatusOK)
	body := rec.Body.String()
	got := decode[introspection](t, rec.Body)
	if !got.Active || got.Scope != "read write" || got.Username != "Alice" || got.ClientID != "app" || got.TokenType != "Bearer" || got.Sub != "alice" ||
		got.Iss != testIssuer || got.Jti != "token-1" || got.Sid != "session-1" || got.Exp != c["exp"] || got.Iat != c["iat"] || got.Nbf != c["nbf"] || string(got.Aud) != `["api","other"]` {
		t.Error(body)
	}
}

func TestIntrospectHidesTheDerivedID(t *testing.T) {
	rec := newRig(t).form("/oauth2/introspect", testAdmin, "token="+access(t, "jti", nil))
	wantStatus(t, rec, http.StatusOK)
	if body := rec.Body.String(); !strings.HasPrefix(body, `{"active":true`) || strings.Contains(body, "jti") {
		t.Error(body)
	}
}

func TestIntrospectInactiveSaysNothingElse(t *testing.T) {
	r := newRig(t)
	revoked := access(t, "jti", "gone")
	wantStatus(t, r.form("/oauth2/revoke", "", "token="+revoked), http.StatusOK)
	for name, raw := range map[string]string{
		"revoked": revoked,
		"expired": access(t, "exp", time.Now().Add(-time.Hour).Unix()),
		"forged":  access(t) + "A",
		"nothing": "x",
		"refresh": refresh(t),
	} {
		rec := r.form("/oauth2/introspect", testAdmin, "token="+raw)
		wantStatus(t, rec, http.StatusOK)
		if got := rec.Body.String(); got != `{"active":false}` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestIntrospectDoesNotGuess(t *testing.T) {
	for _, verdict := range []rescind.Verdict{rescind.Stale, rescind.Unknown} {
		r := newRig(t)
		r.node.verdict = verdict
		wantOAuthError(t, r.form("/oauth2/introspect", testAdmin, "token="+access(t)), http.StatusServiceUnavailable, "temporarily_unavailable")
	}
}

func TestIntrospectIsForTheOperator(t *testing.T) {
	r := newRig(t)
	for _, bearer := range []string{"", "wrong", access(t)} {
		wantOAuthError(t, r.form("/oauth2/introspect", bearer, "token="+access(t)), http.StatusUnauthorized, "invalid_client")
	}
	off := newRig(t, func(c *Config) { c.AdminToken = nil })
	wantOAuthError(t, off.form("/oauth2/introspect", testAdmin, "token="+access(t)), http.StatusForbidden, "access_denied")
}

// A token that is meant for another audience is accepted elsewhere: 200 must mean
// that it is revoked there.
func TestOAuthRevokeTakesATokenOfAnotherAudience(t *testing.T) {
	r := newRig(t)
	billing := access(t, "aud", "billing")
	wantStatus(t, r.do("GET", "/v1/check", billing, "", ""), http.StatusUnauthorized)
	wantStatus(t, r.form("/oauth2/revoke", "", "token="+billing), http.StatusOK)
	wantStatus(t, r.post("/v1/revocations", `{"token":"`+access(t, "aud", "billing", "jti", "token-2")+`"}`), http.StatusCreated)
	for _, jti := range []string{"token-1", "token-2"} { // as the other audience's verifier would see it
		wantStatus(t, r.do("GET", "/v1/check", access(t, "jti", jti), "", ""), http.StatusUnauthorized)
	}
}

// Introspection states the token's own times, also where revocations compare
// with auth_time, and none that the token lacks.
func TestIntrospectStatesTheTokensOwnTimes(t *testing.T) {
	issued := time.Now().Unix() - 10
	verifier, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Checker: newFakeNode(),
		Issuers: []token.IssuerConfig{{Issuer: testIssuer, Algorithms: []string{"HS256"}, HS256Secret: testKey, AuthTime: true, AllowNoExp: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	v, err := verifier.Verify(access(t, "iat", issued, "auth_time", issued-3600, "exp", nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := introspectionOf(v); got.Iat != issued || got.Exp != 0 {
		t.Errorf("iat %d, want %d; exp %d, want none", got.Iat, issued, got.Exp)
	}
}
