package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/internal/problem"
)

func TestCheckAcceptsAnyMethodAndPath(t *testing.T) {
	r := newRig(t)
	raw := access(t)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"/v1/check", "/v1/check/", "/v1/check/a/b", "/v1/check//a/../b", "/v1/check/%2e%2e/x?token=y"} {
			rec := r.do(method, path, raw, "", "")
			wantStatus(t, rec, http.StatusOK)
			if rec.Body.Len() > 0 {
				t.Errorf("%s %s has a body", method, path)
			}
			for name, want := range map[string]string{"X-Auth-Issuer": testIssuer, "X-Auth-Subject": "alice", "X-Auth-Session": "session-1", "X-Auth-Token-Id": "token-1", "Cache-Control": "no-store"} {
				if got := rec.Header().Get(name); got != want {
					t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, want)
				}
			}
		}
	}
}

func TestCheckIsNotAPrefixOfOtherNames(t *testing.T) {
	wantProblem(t, newRig(t).do("GET", "/v1/checks", access(t), "", ""), problem.NotFound, "")
}

type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body of a check was read")
	return 0, errors.New("untouchable")
}

func TestCheckNeverReadsTheBody(t *testing.T) {
	r := newRig(t)
	req := httptest.NewRequest("POST", "/v1/check", untouchable{t})
	req.Header.Set("Authorization", "Bearer "+access(t))
	wantStatus(t, r.send(req), http.StatusOK)
}

func TestCheckRefusesOddAuthorization(t *testing.T) {
	raw := access(t)
	for name, c := range map[string]struct {
		headers   []string
		target    string
		challenge string
	}{
		"none":              {nil, "/v1/check", `Bearer realm="rescind"`},
		"query parameter":   {nil, "/v1/check?access_token=" + raw, `Bearer realm="rescind"`},
		"two headers":       {[]string{"Bearer " + raw, "Bearer " + raw}, "/v1/check", `error="invalid_request"`},
		"basic":             {[]string{"Basic YTpi"}, "/v1/check", "Bearer"},
		"scheme alone":      {[]string{"Bearer"}, "/v1/check", "Bearer"},
		"empty token":       {[]string{"Bearer "}, "/v1/check", "Bearer"},
		"two tokens":        {[]string{"Bearer " + raw + ", Bearer " + raw}, "/v1/check", "Bearer"},
		"trailing text":     {[]string{"Bearer " + raw + " x"}, "/v1/check", "Bearer"},
		"forged signature":  {[]string{"Bearer " + raw[:len(raw)-6] + "AAAAAA"}, "/v1/check", `error="invalid_token"`},
		"not a token":       {[]string{"Bearer abc"}, "/v1/check", `error="invalid_token"`},
		"expired":           {[]string{"Bearer " + access(t, "exp", time.Now().Add(-time.Hour).Unix())}, "/v1/check", `error="invalid_token"`},
		"the admin's token": {[]string{"Bearer " + testAdmin}, "/v1/check", `error="invalid_token"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			req := httptest.NewRequest("GET", c.target, nil)
			req.Header["Authorization"] = c.headers
			rec := r.send(req)
			wantStatus(t, rec, http.StatusUnauthorized)
			if got := rec.Header().Get("WWW-Authenticate"); !strings.Contains(got, c.challenge) {
				t.Errorf("WWW-Authenticate %q lacks %q", got, c.challenge)
			}
			if rec.Header().Get("X-Auth-Subject") != "" {
				t.Error("a refused token is identified")
			}
		})
	}
}

func TestCheckSchemeIgnoresCase(t *testing.T) {
	r := newRig(t)
	for _, scheme := range []string{"bearer", "BEARER", "bEaReR"} {
		req := httptest.NewRequest("GET", "/v1/check", nil)
		req.Header.Set("Authorization", scheme+" "+access(t))
		wantStatus(t, r.send(req), http.StatusOK)
	}
}

func TestCheckVerdicts(t *testing.T) {
	for verdict, want := range map[rescind.Verdict]problem.Kind{
		rescind.Stale:   problem.Stale,
		rescind.Unknown: problem.CannotKnow,
		rescind.Revoked: problem.Token,
	} {
		r := newRig(t)
		r.node.verdict = verdict
		wantProblem(t, r.do("GET", "/v1/check", access(t), "", ""), want, "")
	}
}

func TestCheckHeadersCarryOddIdentifiers(t *testing.T) {
	for in, want := range map[string]string{
		"auth0|5f7": "auth0|5f7",
		"a b":       "a%20b",
		"a%20b":     "a%2520b",
		"a,b":       "a%2Cb",
		"zoë":       "zo%C3%AB",
		"a\r\nX: y": "a%0D%0AX:%20y",
		" edge ":    "%20edge%20",
	} {
		if got := headerValue(in); got != want {
			t.Errorf("headerValue(%q) = %q, want %q", in, got, want)
		}
	}
	r := newRig(t)
	rec := r.do("GET", "/v1/check", access(t, "sub", "zoë,\t1"), "", "")
	if got := rec.Header().Get("X-Auth-Subject"); got != "zo%C3%AB%2C%091" {
		t.Errorf("X-Auth-Subject is %q", got)
	}
}

// A header left out lets the client's own one through some proxies.
func TestCheckSendsEmptyHeadersForMissingClaims(t *testing.T) {
	rec := newRig(t).do("GET", "/v1/check", access(t, "sid", nil, "jti", nil), "", "")
	wantStatus(t, rec, http.StatusOK)
	for _, name := range []string{"X-Auth-Session", "X-Auth-Token-Id"} {
		if got := rec.Header().Values(name); len(got) != 1 || got[0] != "" {
			t.Errorf("%s is %q, want one empty value", name, got)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	r := newRig(b)
	h := r.api.Handler()
	req := httptest.NewRequest("GET", "/v1/check", nil)
	req.Header.Set("Authorization", "Bearer "+access(b))
	b.ReportAllocs()
	w := &nullWriter{header: make(http.Header)}
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, req)
	}
	if w.status != http.StatusOK {
		b.Fatal(w.status)
	}
}

func BenchmarkCheckParallel(b *testing.B) {
	r := newRig(b)
	h := r.api.Handler()
	raw := access(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		req := httptest.NewRequest("GET", "/v1/check", nil)
		req.Header.Set("Authorization", "Bearer "+raw)
		w := &nullWriter{header: make(http.Header)}
		for pb.Next() {
			clear(w.header)
			h.ServeHTTP(w, req)
		}
	})
}

type nullWriter struct {
	header http.Header
	status int
}

func (w *nullWriter) Header() http.Header         { return w.header }
func (w *nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *nullWriter) WriteHeader(status int)      { w.status = status }
