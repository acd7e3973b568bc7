package token

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRequirement(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	for name, c := range map[string]struct {
		claims  string
		require Requirement
		want    error
	}{
		"nothing":             {``, Requirement{}, nil},
		"issuer":              {``, Requirement{Issuer: []string{testIssuer, testIssuer}}, nil},
		"other issuer":        {`"scope":"read"`, Requirement{Issuer: []string{"https://partner.example"}, Scope: []string{"read"}}, ErrIssuer},
		"two issuers":         {``, Requirement{Issuer: []string{testIssuer, "https://partner.example"}}, ErrIssuer},
		"part of an issuer":   {``, Requirement{Issuer: []string{testIssuer + "/"}}, ErrIssuer},
		"issuer, then scope":  {`"scope":"read"`, Requirement{Issuer: []string{testIssuer}, Scope: []string{"admin"}}, ErrScope},
		"audience":            {``, Requirement{Audience: []string{testAudience}}, nil},
		"other audience":      {``, Requirement{Audience: []string{testAudience, "b"}}, ErrAudience},
		"scope":               {`"scope":"read write"`, Requirement{Scope: []string{"write", "read"}}, nil},
		"missing scope":       {`"scope":"read write"`, Requirement{Scope: []string{"read", "admin"}}, ErrScope},
		"part of a scope":     {`"scope":"reader"`, Requirement{Scope: []string{"read"}}, ErrScope},
		"no scope":            {``, Requirement{Scope: []string{"read"}}, ErrScope},
		"scp as a list":       {`"scp":["read"]`, Requirement{Scope: []string{"read"}}, nil},
		"scp as words":        {`"scp":"read write"`, Requirement{Scope: []string{"write"}}, nil},
		"scope wins over scp": {`"scope":"read","scp":["admin"]`, Requirement{Scope: []string{"admin"}}, ErrScope},
		"a scope of odd type": {`"scope":7`, Requirement{Scope: []string{"7"}}, ErrScope},
	} {
		t.Run(name, func(t *testing.T) {
			verified, err := v.Verify(signHS(hsHeader, payload(c.claims)))
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, c.require.Check(verified), c.want)
		})
	}
}

func TestMiddlewareRequires(t *testing.T) {
	raw := "Bearer " + signHS(hsHeader, payload(`"scope":"read"`))
	v := newVerifier(t, nil, nil, hsIssuer())
	if w := get(v, []Option{RequireScope("read"), RequireAudience(testAudience)}, raw); w.Code != http.StatusOK {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	w := get(v, []Option{RequireScope("read"), RequireScope("write")}, raw)
	const challenge = `Bearer realm="rescind", error="insufficient_scope", error_description="the token lacks a scope that is required here", scope="read write"`
	if w.Code != http.StatusForbidden || w.Header().Get("WWW-Authenticate") != challenge {
		t.Errorf("status %d, %s", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	if w := get(v, []Option{RequireAudience("other")}, raw); w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}

// TestMiddlewareRequiresAnIssuer: a partner's token whose sub, aud and scope are as
// ours opens no route that is for our own issuer.
func TestMiddlewareRequiresAnIssuer(t *testing.T) {
	partner := hsIssuer()
	partner.Issuer = "https://partner.example"
	v := newVerifier(t, nil, nil, hsIssuer(), partner)
	ours := payload(`"scope":"read"`)
	theirs := strings.Replace(ours, testIssuer, partner.Issuer, 1)
	opts := []Option{RequireIssuer(testIssuer), RequireAudience(testAudience), RequireScope("read")}
	for raw, status := range map[string]int{ours: http.StatusOK, theirs: http.StatusForbidden} {
		w := get(v, opts, "Bearer "+signHS(hsHeader, raw))
		if w.Code != status {
			t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
		}
	}
	if w := get(v, opts[1:], "Bearer "+signHS(hsHeader, theirs)); w.Code != http.StatusOK {
		t.Errorf("without the requirement: status %d", w.Code)
	}
}

func TestMiddlewareTakesTokensFrom(t *testing.T) {
	raw := signHS(hsHeader, payload(""))
	v := newVerifier(t, nil, nil, hsIssuer())
	h := Middleware(v, TokenFrom(Bearer, FromHeader("X-Token"), FromCookie("session"), FromQuery("token")))(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"nowhere":         {func(r *http.Request) {}, 401},
		"authorization":   {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+raw) }, 200},
		"header":          {func(r *http.Request) { r.Header.Set("X-Token", raw) }, 200},
		"cookie":          {func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "session", Value: raw}) }, 200},
		"query":           {func(r *http.Request) { r.URL.RawQuery = "token=" + raw }, 200},
		"header twice":    {func(r *http.Request) { r.Header["X-Token"] = []string{raw, raw} }, 400},
		"empty, then one": {func(r *http.Request) { r.Header.Set("X-Token", ""); r.URL.RawQuery = "token=" + raw }, 200},
		"a malformed one is not passed over": {func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer ")
			r.URL.RawQuery = "token=" + raw
		}, 400},
		"the first counts": {func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer x")
			r.URL.RawQuery = "token=" + raw
		}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			c.change(r)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
		})
	}
}

func TestMiddlewareSkips(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	h := Middleware(v, DangerouslySkip(func(r *http.Request) bool { return r.URL.Path == "/open" }))(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := FromContext(r.Context()); ok {
				t.Error("a skipped request has a token in its context")
			}
		}))
	for path, status := range map[string]int{"/open": 200, "/closed": 401} {
		r := httptest.NewRequest("GET", path, nil)
		if path == "/open" {
			r.Header.Set("Authorization", "Bearer "+signHS(hsHeader, payload("")))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%s: status %d, want %d", path, w.Code, status)
		}
	}
}
