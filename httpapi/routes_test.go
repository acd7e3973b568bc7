package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rescind/cluster"
	"rescind/internal/problem"
)

func TestUnknownPaths(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/nothing", "/v1", "/v1/", "/v1/session/", "/v1//session", "/V1/check", "/healthz/", "/metrics/x", "/oauth2/token"} {
		wantProblem(t, r.do("GET", path, testAdmin, "", ""), problem.NotFound, "")
	}
}

func TestWrongMethods(t *testing.T) {
	r := newRig(t)
	for _, rt := range r.api.table() {
		if rt.method == anyMethod {
			continue
		}
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"} {
			if rt.allows(method) {
				continue
			}
			rec := r.do(method, rt.path, testAdmin, "application/json", "{}")
			wantProblem(t, rec, problem.Method, "")
			if got := rec.Header().Get("Allow"); got != rt.allowed() {
				t.Errorf("%s %s: Allow is %q", method, rt.path, got)
			}
		}
	}
}

func TestReadiness(t *testing.T) {
	r := newRig(t)
	wantStatus(t, r.do("GET", "/healthz", "", "", ""), http.StatusOK)
	wantStatus(t, r.do("HEAD", "/readyz", "", "", ""), http.StatusOK)
	rec := r.do("GET", "/readyz", "", "", "")
	wantStatus(t, rec, http.StatusOK)
	if got := rec.Body.String(); got != `{"ready":true,"reasons":[],"staleness_ms":0}` {
		t.Error(got)
	}
	r.node.status.Ready, r.node.status.Reasons, r.node.status.Staleness = false, []cluster.Reason{{Text: "loading"}}, cluster.Staleness{}
	rec = r.do("GET", "/readyz", "", "", "")
	wantStatus(t, rec, http.StatusServiceUnavailable)
	if got := rec.Body.String(); got != `{"ready":false,"reasons":["loading"],"staleness_ms":null}` {
		t.Error(got)
	}
	wantStatus(t, r.do("GET", "/healthz", "", "", ""), http.StatusOK)
}

func TestDrain(t *testing.T) {
	r := newRig(t)
	r.api.Drain()
	rec := r.do("GET", "/readyz", "", "", "")
	wantStatus(t, rec, http.StatusServiceUnavailable)
	if got := decode[readiness](t, rec.Body); got.Ready || got.Reasons[0] != "draining" {
		t.Errorf("%+v", got)
	}
	wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusOK)
	wantStatus(t, r.do("DELETE", "/v1/session", access(t), "", ""), http.StatusOK)
}

func TestIndexTellsWhatIsOff(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AdminToken = nil })
	r.node.status.Ready, r.node.status.Reasons = false, []cluster.Reason{{Text: "<b>loading</b>"}}
	rec := r.do("GET", "/", "", "", "")
	body := rec.Body.String()
	for _, want := range []string{"v0.0.0-test", "not ready: <b>loading</b>", "/v1/check", "off: no admin token", "off: no keys to show"} {
		if !strings.Contains(body, want) {
			t.Errorf("the index lacks %q:\n%s", want, body)
		}
	}
	if got := rec.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if body := newRig(t).do("GET", "/", "", "", "").Body.String(); strings.Contains(body, "off: no admin") {
		t.Error(body)
	}
}

func TestJWKS(t *testing.T) {
	wantProblem(t, newRig(t).do("GET", "/.well-known/jwks.json", "", "", ""), problem.NotFound, "")
	r := newRig(t, func(c *Config) {
		c.JWKS = func() ([]byte, error) { return []byte(`{"keys":[]}`), nil }
	})
	rec := r.do("GET", "/.well-known/jwks.json", "", "", "")
	wantStatus(t, rec, http.StatusOK)
	if rec.Body.String() != `{"keys":[]}` || rec.Header().Get("Cache-Control") != "public, max-age=60" || rec.Header().Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("%s %v", rec.Body, rec.Header())
	}
}

func TestJWKSThatFails(t *testing.T) {
	r := newRig(t, func(c *Config) { c.JWKS = func() ([]byte, error) { return nil, errors.New("no keys yet") } })
	wantProblem(t, r.do("GET", "/.well-known/jwks.json", "", "", ""), problem.Unexpected, "")
	if !strings.Contains(r.log.String(), "no keys yet") {
		t.Error("the log does not say why")
	}
}

func TestPanicsTellNothing(t *testing.T) {
	for value, inLog := range map[any]string{"canary": "withheld", errors.New("canary"): "withheld"} {
		r := newRig(t, func(c *Config) {
			c.JWKS = func() ([]byte, error) { panic(value) }
		})
		wantProblem(t, r.do("GET", "/.well-known/jwks.json", "", "", ""), problem.Unexpected, "")
		if log := r.log.String(); strings.Contains(log, "canary") || !strings.Contains(log, inLog) || !strings.Contains(log, "TestPanicsTellNothing") {
			t.Error(log)
		}
	}
}

func TestAbortedHandlersStayAborted(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.JWKS = func() ([]byte, error) { panic(http.ErrAbortHandler) }
	})
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the abort was swallowed")
		}
	}()
	r.api.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
}
