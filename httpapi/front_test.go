package httpapi

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"rescind"
	"rescind/cluster"
	"rescind/internal/problem"
)

// page asks for a page of the dashboard as a browser at this machine does.
func (r *rig) page(method, path, cookie string, form url.Values, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(form.Encode()))
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	for _, f := range change {
		f(req)
	}
	rec := httptest.NewRecorder()
	r.api.Handler().ServeHTTP(rec, req)
	if policy := rec.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") {
		r.t.Errorf("%s %s: the policy is %q", method, path, policy)
	}
	return rec
}

// signIn returns the cookie of a new session.
func (r *rig) signIn(secret string) string {
	r.t.Helper()
	rec := r.page("POST", "/dashboard/sign-in", "", url.Values{"token": {secret}})
	wantStatus(r.t, rec, http.StatusSeeOther)
	cookie, _, _ := strings.Cut(rec.Header().Get("Set-Cookie"), ";")
	return cookie
}

func TestDashboardNeedsASession(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/dashboard/revoke", "/dashboard/check"} {
		rec := r.page("GET", path, "", nil)
		if wantStatus(t, rec, http.StatusSeeOther); rec.Header().Get("Location") != "/" {
			t.Errorf("%s leads to %q", path, rec.Header().Get("Location"))
		}
		wantStatus(t, r.page("POST", path, "rescind-8080=invented", url.Values{"token": {access(t)}}), http.StatusForbidden)
	}
	wantStatus(t, r.page("GET", "/dashboard/live", "", nil), http.StatusForbidden)
	if body := r.page("GET", "/", "", nil).Body.String(); strings.Contains(body, "live-members") || !strings.Contains(body, "Admin token") {
		t.Errorf("a stranger sees %s", body)
	}
	if body := r.page("GET", "/", r.signIn(testAdmin), nil).Body.String(); !strings.Contains(body, "live-members") {
		t.Errorf("an operator sees %s", body)
	}
	if len(r.node.all()) > 0 {
		t.Error("a stranger has revoked something")
	}
}

// TestTheCookieOpensNothingElse: a foreign page can make a browser send it, so
// the API must not take it.
func TestTheCookieOpensNothingElse(t *testing.T) {
	r := newRig(t)
	cookie := r.signIn(testAdmin)
	for _, rt := range r.api.table() {
		if rt.who != "admin" || rt.path == dashboardPath {
			continue
		}
		req := newReq(t, methodOf(rt), rt.path, `{"scope":"sub","id":"bob"}`, "application/json")
		req.Header.Set("Cookie", cookie)
		wantProblem(t, r.send(req), problem.Admin, "")
	}
}

// TestSignIn looks at the cookie, and at who is let in how.
func TestSignIn(t *testing.T) {
	overTLS := func(r *http.Request) { r.TLS, r.Host = &tls.ConnectionState{}, "node.example:8443" }
	for name, c := range map[string]struct {
		secret string
		change func(*http.Request)
		status int
		cookie []string
	}{
		"at this machine":     {testAdmin, func(*http.Request) {}, 303, []string{"rescind-8080=", "; Path=/", "; HttpOnly", "; SameSite=Strict"}},
		"blanks around":       {" " + testAdmin + "\n", func(*http.Request) {}, 303, []string{"rescind-8080="}},
		"IPv6":                {testAdmin, func(r *http.Request) { r.Host = "[::1]:8080" }, 303, []string{"rescind-8080="}},
		"over TLS":            {testAdmin, overTLS, 303, []string{"__Host-rescind-8443=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict"}},
		"behind a TLS proxy":  {testAdmin, func(r *http.Request) { r.Host = "x.example"; r.Header.Set("Origin", "https://x.example") }, 303, []string{"__Host-rescind=", "; Secure"}},
		"in the clear":        {testAdmin, func(r *http.Request) { r.Host = "10.0.0.1:8080" }, 403, nil},
		"another token":       {testAdmin + "x", func(*http.Request) {}, 403, nil},
		"no token":            {"", func(*http.Request) {}, 403, nil},
		"from a foreign page": {testAdmin, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403, nil},
		"from a foreign page 2": {testAdmin, func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "http://evil.example")
		}, 403, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			rec := r.page("POST", "/dashboard/sign-in", "", url.Values{"token": {c.secret}}, c.change)
			wantStatus(t, rec, c.status)
			got := rec.Header().Get("Set-Cookie")
			for _, want := range c.cookie {
				if !strings.Contains(got, want) {
					t.Errorf("the cookie is %q; want %s", got, want)
				}
			}
			if c.cookie == nil && got != "" {
				t.Errorf("a cookie: %q", got)
			}
			if name == "at this machine" && strings.Contains(got, "Secure") {
				t.Errorf("a browser would not send %q over http", got)
			}
			if strings.Contains(rec.Body.String()+r.log.String(), testAdmin) {
				t.Error("the token is repeated")
			}
		})
	}
}

func TestSignInIsLimited(t *testing.T) {
	r := newRig(t)
	limited := 0
	for range 20 {
		if rec := r.page("POST", "/dashboard/sign-in", "", url.Values{"token": {"guess-guess-guess-guess"}}); rec.Code == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited < 14 {
		t.Errorf("of 20 attempts at once, %d were stopped", limited)
	}
	if !strings.Contains(r.log.String(), "admin request refused") {
		t.Error("guessing does not show in the log")
	}
}

// TestAWithdrawnTokenEndsItsSession.
func TestAWithdrawnTokenEndsItsSession(t *testing.T) {
	r := newRig(t)
	const secret = "another-operator-0123456789"
	admins := []Admin{{Name: "grace", SHA256: sum(secret)}}
	if err := r.api.SetAdmins(admins); err != nil {
		t.Fatal(err)
	}
	cookie := r.signIn(secret)
	wantStatus(t, r.page("GET", "/dashboard/check", cookie, nil), http.StatusOK)
	if err := r.api.SetAdmins(nil); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r.page("GET", "/dashboard/check", cookie, nil), http.StatusSeeOther)
}

func TestSignOut(t *testing.T) {
	r := newRig(t)
	cookie := r.signIn(testAdmin)
	wantStatus(t, r.page("GET", "/dashboard/check", cookie, nil), http.StatusOK)
	wantStatus(t, r.page("POST", "/dashboard/sign-out", cookie, url.Values{}), http.StatusSeeOther)
	wantStatus(t, r.page("GET", "/dashboard/check", cookie, nil), http.StatusSeeOther)
}

// TestTheFrontPage: a browser sees the dashboard, a program the index; and so
// does everybody where nobody could sign in, or the admin endpoints are
// elsewhere.
func TestTheFrontPage(t *testing.T) {
	r := newRig(t)
	ask := func(h http.Handler, path, accept string) *httptest.ResponseRecorder {
		req := httptest.NewRequest("GET", path, nil)
		req.Header.Set("Accept", accept)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		return rec
	}
	const html, text = "text/html; charset=utf-8", "text/plain; charset=utf-8"
	off := newRig(t, func(c *Config) { c.AdminToken = nil })
	for name, c := range map[string]struct {
		handler      http.Handler
		accept, want string
	}{
		"browser":            {r.api.Handler(), "text/html", html},
		"browser, admin":     {r.api.AdminHandler(), "text/html", html},
		"browser, public":    {r.api.PublicHandler(), "text/html", text},
		"curl":               {r.api.Handler(), "*/*", text},
		"browser, no admins": {off.api.Handler(), "text/html", text},
	} {
		if got := ask(c.handler, "/", c.accept).Header().Get("Content-Type"); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	wantProblem(t, ask(r.api.PublicHandler(), "/dashboard/style.css", "*/*"), problem.NotFound, "")
	wantStatus(t, ask(r.api.AdminHandler(), "/dashboard/style.css", "*/*"), http.StatusOK)
}

// TestRevokeForm: each scope by a token and by name, as the API would.
func TestRevokeForm(t *testing.T) {
	r := newRig(t)
	cookie := r.signIn(testAdmin)
	raw := access(t)
	for name, c := range map[string]struct {
		form   url.Values
		status int
		want   rescind.Key
		says   string
	}{
		"token":               {url.Values{"scope": {"jti"}, "token": {raw}}, 200, rescind.Key{Scope: rescind.ScopeJTI, Issuer: testIssuer, ID: "token-1"}, "Revoked"},
		"with a header":       {url.Values{"scope": {"sid"}, "token": {"Authorization: Bearer " + raw}}, 200, rescind.Key{Scope: rescind.ScopeSID, Issuer: testIssuer, ID: "session-1"}, "Revoked"},
		"subject":             {url.Values{"scope": {"sub"}, "token": {raw}}, 200, rescind.Key{Scope: rescind.ScopeSub, Issuer: testIssuer, ID: "alice"}, "Revoked"},
		"client":              {url.Values{"scope": {"client_id"}, "token": {raw}, "sure": {"yes"}}, 200, rescind.Key{Scope: rescind.ScopeClientID, Issuer: testIssuer, ID: "app"}, "Revoked"},
		"issuer":              {url.Values{"scope": {"iss"}, "sure": {"yes"}}, 200, rescind.Key{Scope: rescind.ScopeIss, Issuer: testIssuer}, "Revoked"},
		"by name":             {url.Values{"scope": {"sub"}, "id": {"bob"}, "iss": {"https://other.example"}}, 200, rescind.Key{Scope: rescind.ScopeSub, Issuer: "https://other.example", ID: "bob"}, "Revoked"},
		"key, not sure":       {url.Values{"scope": {"kid"}, "id": {"k1"}}, 422, rescind.Key{}, "tick the box"},
		"key that has none":   {url.Values{"scope": {"kid"}, "token": {raw}, "sure": {"yes"}}, 422, rescind.Key{}, "has no kid"},
		"nothing":             {url.Values{"scope": {"sid"}}, 422, rescind.Key{}, "give a token, or an identifier"},
		"both":                {url.Values{"scope": {"sid"}, "token": {raw}, "id": {"x"}}, 422, rescind.Key{}, "not both"},
		"no scope":            {url.Values{"token": {raw}}, 422, rescind.Key{}, "say what to revoke"},
		"forged":              {url.Values{"scope": {"sub"}, "token": {raw[:len(raw)-4] + "AAAA"}}, 422, rescind.Key{}, "signature does not match"},
		"a huge form":         {url.Values{"scope": {"sid"}, "id": {strings.Repeat("x", 100<<10)}}, 422, rescind.Key{}, "longer than 64 KiB"},
		"an identifier of 2K": {url.Values{"scope": {"sid"}, "id": {strings.Repeat("x", 2000)}}, 422, rescind.Key{}, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			rec := r.page("POST", "/dashboard/revoke", cookie, c.form)
			wantStatus(t, rec, c.status)
			if body := rec.Body.String(); !strings.Contains(body, c.says) || strings.Contains(body, raw[len(raw)-30:]) {
				t.Errorf("the page does not say %q, or repeats the token: %s", c.says, body)
			}
			calls := r.node.all()
			if c.status != 200 {
				if len(calls) > 0 {
					t.Errorf("it revoked %+v", calls)
				}
				return
			}
			if len(calls) != 1 || calls[0].rev.Key != c.want {
				t.Errorf("it revoked %+v; want %+v", calls, c.want)
			}
			if log := r.log.String(); !strings.Contains(log, `"caller":"admin"`) || !strings.Contains(log, `"endpoint":"/dashboard/"`) {
				t.Errorf("the audit trail says %s", log)
			}
		})
	}
}

// TestHostileNames: what others choose is text, wherever it stands.
func TestHostileNames(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	r := newRig(t, func(c *Config) { c.Version = evil })
	r.node.status = fullStatus()
	r.node.status.Name, r.node.status.Cluster = evil, evil
	for i := range r.node.status.Members {
		r.node.status.Members[i].Name = evil + "\xff" + strings.Repeat("x", 300)
	}
	r.node.status.Reasons = []cluster.Reason{{Text: evil}}
	r.node.status.Carriers[0].LastError, r.node.status.Carriers[0].Address = evil, evil
	r.node.missing = []string{evil}
	cookie := r.signIn(testAdmin)
	hostile := access(t, "sub", evil, "sid", evil, "client_id", evil, "aud", []string{"api", evil})
	pages := map[string]*httptest.ResponseRecorder{
		"overview": r.page("GET", "/", cookie, nil),
		"check":    r.page("POST", "/dashboard/check", cookie, url.Values{"token": {hostile}}),
		"revoked":  r.page("POST", "/dashboard/revoke", cookie, url.Values{"scope": {"sub"}, "token": {hostile}}),
		"refused":  r.page("POST", "/dashboard/revoke", cookie, url.Values{"scope": {"kid"}, "id": {evil}, "iss": {evil}, "reason": {evil}}),
		"sign in":  r.page("GET", "/", "", nil),
	}
	for name, rec := range pages {
		body := rec.Body.String()
		if strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
			t.Errorf("%s lets it through:\n%s", name, body)
		}
		if !strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("%s does not show it at all", name)
		}
	}
}

// TestADashboardOfAnEmptyNode: nothing is known yet, and every page stands.
func TestADashboardOfAnEmptyNode(t *testing.T) {
	r := newRig(t)
	r.node.status = cluster.Status{}
	body := r.page("GET", "/", r.signIn(testAdmin), nil).Body.String()
	for _, want := range []string{"not ready", "no log-out was accepted here", "Nothing has happened", "alone by configuration"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
}
