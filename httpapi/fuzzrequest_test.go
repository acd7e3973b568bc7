package httpapi

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"rescind"
)

// FuzzRequest sends whatever net/http takes for a request, without any credentials
// that are right: the strangers' headers, queries, cookies and bodies. Nothing is
// revoked, nothing an operator may see is told, and no answer is an unexpected one.
func FuzzRequest(f *testing.F) {
	r := offering(f, func(c *Config) {
		c.Clients = []Client{{ID: "app"}, {ID: "secret", SecretHash: hashed(f, "right"), Introspect: true}}
	})
	forged := access(f)[:40] + "x" + access(f)[41:]
	for _, rt := range r.api.table() {
		method := rt.method
		if method == anyMethod {
			method = http.MethodPost
		}
		for _, headers := range []string{
			"",
			"Authorization: Bearer " + forged + "\r\nX-Forwarded-For: 1.2.3.4, ::1, \xff\r\nRescind-Version: 1.2.3\r\nRescind-Max-Staleness: 1s\r\n",
			"Authorization: Basic c2VjcmV0Ondyb25n\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n",
			"Authorization: Bearer a\r\nAuthorization: Bearer b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n",
			"Cookie: rescind=x; rescind=y\r\nAccept: text/html\r\nOrigin: null\r\nSec-Fetch-Site: cross-site\r\nLast-Event-ID: 1\r\n",
			"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
		} {
			body := "token=a"
			f.Add(method + " " + rt.path + "?require_aud=x&ack=all&timeout=1s&after=1 HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body)
		}
	}
	f.Add("POST /v1/backchannel-logout HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 18\r\n\r\nlogout_token=a.b.c")
	f.Add("POST /v1/security-events HTTP/1.1\r\nHost: h\r\nContent-Type: application/secevent+jwt\r\nContent-Length: 5\r\n\r\na.b.c")
	f.Add("POST /dashboard/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\ntoken=a")
	f.Add("POST /oauth2/revoke HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 19\r\n\r\ntoken=a&client_id=b")
	handler := r.api.Handler()
	f.Fuzz(func(t *testing.T, raw string) {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return
		}
		r := r.in(t)
		req.RemoteAddr = "192.0.2.1:1234"
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		if rec.Code == http.StatusInternalServerError || rec.Code < 200 || rec.Code > 599 {
			t.Fatalf("%q: %d %s", raw, rec.Code, rec.Body)
		}
		if got := rec.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Fatalf("%q: X-Content-Type-Options is %q", raw, got)
		}
		for name, values := range rec.Header() {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
				t.Fatalf("%q: header %q: %q", raw, name, values)
			}
		}
		if calls := r.node.all(); len(calls) != 0 {
			t.Fatalf("%q: revoked %+v", raw, calls)
		}
		path := req.URL.Path
		for _, rt := range r.api.table() {
			if rt.path == path && rt.who == "admin" && rt.path != dashboardPath && rec.Code < http.StatusBadRequest {
				t.Fatalf("%q: %d %s", raw, rec.Code, rec.Body)
			}
		}
	})
}

// FuzzBulk asserts that each line that is not empty has one answer, in order, and
// that what was revoked is what was answered.
func FuzzBulk(f *testing.F) {
	for _, seed := range []string{
		"", "\n\n", `{"scope":"jti","id":"x"}`, "{\"scope\":\"jti\",\"id\":\"x\"}\r\n{}\n", "[]\nnull\n{\"scope\":\"sub\",\"id\":\"x\",\"expires_at\":1e300}",
		"{\"scope\":\"jti\",\"id\":\"\xff\"}\n", `{"token":"` + access(f) + `"}`, strings.Repeat("x", 70_000) + "\n{}",
	} {
		f.Add(seed)
	}
	r := newRig(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := r.in(t)
		rec := r.do(http.MethodPost, "/v1/revocations/bulk", testAdmin, "application/x-ndjson", body)
		wantStatus(t, rec, http.StatusOK)
		accepted, lines := 0, 0
		var last bulkSummary
		for line := range strings.Lines(rec.Body.String()) {
			if json.Unmarshal([]byte(line), &last) == nil && last.Done {
				continue
			}
			var got bulkResult
			if err := json.Unmarshal([]byte(line), &got); err != nil || last.Done {
				t.Fatalf("%q: answered %q: %v", body, line, err)
			}
			if got.Line == lines+1 {
				lines++
			}
			if got.Status == http.StatusCreated || got.Status == http.StatusAccepted {
				accepted++
			}
			if got.Status == http.StatusInternalServerError {
				t.Fatalf("%q: answered %q", body, line)
			}
		}
		if last.Done && (last.Lines != lines || last.Accepted != accepted) {
			t.Fatalf("%q: %d lines, %d accepted: %s", body, lines, accepted, rec.Body)
		}
		calls := r.node.all()
		if len(calls) < accepted {
			t.Fatalf("%q: %d accepted, %d revoked", body, accepted, len(calls))
		}
		for _, c := range calls {
			checkRevocation(t, c.rev)
		}
	})
}

// FuzzForms asserts that a form of a stranger revokes only what its token may: to log
// out is all that a token can do.
func FuzzForms(f *testing.F) {
	good := access(f)
	for _, seed := range []string{"token=" + good, "token=" + good + "&client_id=app", "token=" + good + "&client_id=other", "token=a&token=b", "%", "logout_token=" + good, "token=" + good + "&token_type_hint=refresh_token"} {
		f.Add(seed)
	}
	r := newRig(f, func(c *Config) { c.LogoutAudience = map[string][]string{testIssuer: {relyingParty}} })
	f.Fuzz(func(t *testing.T, body string) {
		r := r.in(t)
		for _, target := range []string{"/oauth2/revoke", "/v1/backchannel-logout"} {
			if rec := r.form(target, "", body); rec.Code == http.StatusInternalServerError || rec.Code == http.StatusServiceUnavailable {
				t.Fatalf("%s %q: %d %s", target, body, rec.Code, rec.Body)
			}
		}
		for _, c := range r.node.all() {
			checkRevocation(t, c.rev)
			if c.rev.Scope != rescind.ScopeJTI || c.rev.ID != "token-1" || c.rev.ExpiresAt.After(time.Now().Add(2*time.Hour)) {
				t.Fatalf("%q revoked %+v", body, c.rev)
			}
		}
	})
}

// FuzzPollRequest sends what a receiver may: its polls are answered, or refused.
func FuzzPollRequest(f *testing.F) {
	for _, seed := range []string{
		`{"returnImmediately":true}`, `{"returnImmediately":true,"maxEvents":0,"ack":["x"],"setErrs":{"y":{"err":"e","description":"\u001b[2J"}}}`,
		`{"maxEvents":-1}`, `{"ack":null}`, `{"ack":["x","x"],"ack":[]}`, `[]`, `{"returnImmediately":true,"maxEvents":1e300}`,
	} {
		f.Add(seed)
	}
	r := offering(f)
	f.Fuzz(func(t *testing.T, body string) {
		if !strings.Contains(body, `"returnImmediately":true`) {
			return // would wait, as it should
		}
		r := r.in(t)
		if rec := r.pollAs(receiverToken, body); rec.Code != http.StatusOK && rec.Code != http.StatusAccepted &&
			rec.Code != http.StatusBadRequest && rec.Code != http.StatusRequestEntityTooLarge {
			t.Fatalf("%q: %d %s", body, rec.Code, rec.Body)
		}
	})
}
