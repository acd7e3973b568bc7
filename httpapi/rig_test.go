package httpapi

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"rescind/internal/problem"
)

const (
	testIssuer = "https://issuer.example"
	testAdmin  = "admin-token-0123456789abcdef"
)

// rig is an API with a fake node behind it and a log that can be searched.
type rig struct {
	t    testing.TB
	node *fakeNode
	api  *API
	log  *lockedBuffer
	at   http.Handler // who is asked; nil: all of the API
}

// lockedBuffer collects log lines of concurrent requests.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newRig returns an API with an admin token; change alters its configuration.
func newRig(t testing.TB, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, node: newFakeNode(), log: new(lockedBuffer)}
	cfg := Config{
		Node:       r.node,
		Verifier:   newVerifier(t, r.node),
		Issuer:     testIssuer,
		AdminToken: []byte(testAdmin),
		Version:    "v0.0.0-test",
		Logger:     slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	api, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.api = api
	return r
}

// in returns the same API for another test, with a node that has forgotten
// everything.
func (r *rig) in(t testing.TB) *rig {
	r.node.forget()
	r.log.reset()
	return &rig{t: t, node: r.node, api: r.api, log: r.log, at: r.at}
}

// do sends one request. The token, if any, goes as the bearer.
func (r *rig) do(method, target, token, contentType, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return r.send(req)
}

func (r *rig) send(req *http.Request) *httptest.ResponseRecorder {
	r.t.Helper()
	rec := httptest.NewRecorder()
	at := r.at
	if at == nil {
		at = r.api.Handler()
	}
	at.ServeHTTP(rec, req)
	checkAnswer(r.t, rec)
	if r.at == nil || rec.Code != http.StatusNotFound { // else it is at the other listener
		checkDescribed(r.t, req, rec)
	}
	return rec
}

func (r *rig) post(target, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.do(http.MethodPost, target, testAdmin, "application/json", body)
}

func (r *rig) form(target, token, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.do(http.MethodPost, target, token, "application/x-www-form-urlencoded", body)
}

// checkAnswer asserts what every answer promises: no sniffing, problems where
// they belong, Retry-After with every 503 that says "later".
func checkAnswer(t testing.TB, rec *httptest.ResponseRecorder) {
	t.Helper()
	if got := rec.Header().Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
	if rec.Header().Get("Cache-Control") == "" {
		t.Error("no Cache-Control")
	}
	if rec.Code == http.StatusUnauthorized && rec.Header().Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
	if rec.Code == http.StatusServiceUnavailable && rec.Header().Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if rec.Header().Get("Content-Type") != "application/problem+json" {
		return
	}
	var p problem.Body
	if err := json.Unmarshal(rec.Body.Bytes(), &p, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("problem: %v in %s", err, rec.Body)
	}
	if p.Status != rec.Code || p.Title == "" || p.Detail == "" || !strings.HasPrefix(p.Type, "urn:rescind:problem:") {
		t.Errorf("status %d with the problem %+v", rec.Code, p)
	}
}

func decode[T any](t testing.TB, body io.Reader) T {
	t.Helper()
	var v T
	if err := json.UnmarshalRead(body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// wantProblem asserts status, type and field.
func wantProblem(t testing.TB, rec *httptest.ResponseRecorder, k problem.Kind, field string) {
	t.Helper()
	if rec.Code != k.Status {
		t.Fatalf("status %d, want %d: %s", rec.Code, k.Status, rec.Body)
	}
	p := decode[problem.Body](t, rec.Body)
	if p.Type != "urn:rescind:problem:"+k.Name || p.Field != field {
		t.Errorf("problem %s of field %q, want %s of %q (%s)", p.Type, p.Field, k.Name, field, p.Detail)
	}
}

func wantStatus(t testing.TB, rec *httptest.ResponseRecorder, status int) {
	t.Helper()
	if rec.Code != status {
		t.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
}

// claims returns those of an ordinary access token; pairs change them, and nil
// removes one.
func claims(pairs ...any) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": testIssuer, "sub": "alice", "sid": "session-1", "jti": "token-1", "aud": "api", "client_id": "app",
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(c, pairs[i].(string))
		} else {
			c[pairs[i].(string)] = pairs[i+1]
		}
	}
	return c
}

func newReq(t testing.TB, method, target, body, contentType string) *http.Request {
	t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	return req
}
