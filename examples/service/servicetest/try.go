// Package servicetest tries the examples.
package servicetest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"rescind"
	"rescind/examples/service"
	"rescind/token"
)

// Try asserts that a framework's handler lets in whom it should: /hello with any
// good token, /admin with the scope admin, and nobody after the log-out.
func Try(t *testing.T, build func(*service.Service) http.Handler) {
	t.Helper()
	s, err := service.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server := httptest.NewServer(build(s))
	defer server.Close()
	login := func(scope string) token.Pair {
		pair, err := s.Issuer.Login(t.Context(), "ada", token.LoginOptions{Claims: map[string]any{"scope": scope}})
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	user, admin := login("read"), login("read admin")
	want(t, server.URL+"/hello", "", http.StatusUnauthorized)
	want(t, server.URL+"/hello", user.AccessToken, http.StatusOK)
	want(t, server.URL+"/admin", user.AccessToken, http.StatusForbidden)
	want(t, server.URL+"/admin", admin.AccessToken, http.StatusOK)

	verified, err := s.Verifier.Verify(user.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Node.Revoke(t.Context(), verified.Session(), rescind.AckLocal); err != nil {
		t.Fatal(err)
	}
	want(t, server.URL+"/hello", user.AccessToken, http.StatusUnauthorized)
	want(t, server.URL+"/hello", admin.AccessToken, http.StatusOK)
}

func want(t *testing.T, url, raw string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if raw != "" {
		req.Header.Set("Authorization", "Bearer "+raw)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != status {
		t.Errorf("%s answers %d, want %d", url, resp.StatusCode, status)
	}
}
