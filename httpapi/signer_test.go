package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"rescind"
	"rescind/token"
)

// TestARevokedSignerRevokesNothing: whoever stole a key that has been revoked, or a
// key of an issuer that has been revoked for ever, logs out nobody with what it
// signed, at no interface that takes a token in order to revoke.
func TestARevokedSignerRevokesNothing(t *testing.T) {
	accessToken := func(t *testing.T) string { return access(t) }
	refreshToken := func(t *testing.T) string { return refresh(t) }
	for name, c := range map[string]struct {
		forge  func(*testing.T) string
		send   func(r *rig, cookie, raw string) *httptest.ResponseRecorder
		status int
	}{
		"oauth, access": {accessToken, func(r *rig, _, raw string) *httptest.ResponseRecorder {
			return r.form("/oauth2/revoke", "", "token="+raw)
		}, http.StatusOK},
		"oauth, refresh": {refreshToken, func(r *rig, _, raw string) *httptest.ResponseRecorder {
			return r.form("/oauth2/revoke", "", "token="+raw)
		}, http.StatusOK},
		"session": {accessToken, func(r *rig, _, raw string) *httptest.ResponseRecorder {
			return r.do("DELETE", "/v1/session", raw, "", "")
		}, http.StatusUnauthorized},
		"sessions": {accessToken, func(r *rig, _, raw string) *httptest.ResponseRecorder {
			return r.do("DELETE", "/v1/sessions", raw, "", "")
		}, http.StatusUnauthorized},
		"an operator who was sent it": {accessToken, func(r *rig, _, raw string) *httptest.ResponseRecorder {
			return r.post("/v1/revocations", `{"token":"`+raw+`"}`)
		}, http.StatusBadRequest},
		"the same in bulk": {accessToken, func(r *rig, _, raw string) *httptest.ResponseRecorder {
			return r.do("POST", "/v1/revocations/bulk", testAdmin, "application/x-ndjson", `{"token":"`+raw+`"}`)
		}, http.StatusOK},
		"the dashboard": {accessToken, func(r *rig, cookie, raw string) *httptest.ResponseRecorder {
			return r.page("POST", "/dashboard/revoke", cookie, url.Values{"scope": {"sub"}, "token": {raw}})
		}, http.StatusUnprocessableEntity},
		"back-channel logout": {func(t *testing.T) string { return sign(t, token.TypeLogout, logoutClaimsOf()) }, func(r *rig, _, raw string) *httptest.ResponseRecorder {
			return r.form("/v1/backchannel-logout", "", "logout_token="+raw)
		}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r := logoutRig(t)
			cookie, raw := r.signIn(testAdmin), c.forge(t)
			r.node.revokeForEver(rescind.Key{Scope: rescind.ScopeIss, Issuer: testIssuer, ID: testIssuer})
			for _, verdict := range []rescind.Verdict{rescind.Valid, rescind.Stale} { // of other tokens
				r.node.verdict = verdict
				rec := c.send(r, cookie, raw)
				if len(r.node.all()) != 0 {
					t.Fatalf("%v: %d revocations (%d %s)", verdict, len(r.node.all()), rec.Code, rec.Body)
				}
				wantStatus(t, rec, c.status)
			}
		})
	}
}
