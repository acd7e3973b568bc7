package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/internal/problem"
)

// ask sends a GET with the token and further headers, as name and value.
func (r *rig) ask(target, raw string, pairs ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest("GET", target, nil)
	req.Header.Set("Authorization", "Bearer "+raw)
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Add(pairs[i], pairs[i+1])
	}
	return r.send(req)
}

// introspectWith asks about a token with one more header.
func (r *rig) introspectWith(raw, name, value string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest("POST", "/oauth2/introspect", strings.NewReader("token="+raw))
	req.Header.Set("Authorization", "Bearer "+testAdmin)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set(name, value)
	return r.send(req)
}

func TestCheckAskedToBeFresh(t *testing.T) {
	r := newRig(t)
	r.node.status.Staleness = cluster.Staleness{Known: true, Bound: time.Second}
	raw := access(t)
	for value, want := range map[string]int{
		"1": 200, "1s": 200, "1.5": 200, "1000ms": 200, "1h": 200, "999ms": 503, "0.5": 503, "1ns": 503,
		"": 400, "0": 400, "0s": 400, "-1s": 400, "x": 400, "1 s": 400, "1,2": 400, "NaN": 400, "Inf": 400, "1e3": 400, "9999999h": 400, "9999999999999999999999": 400, ".": 400,
	} {
		rec := r.ask("/v1/check", raw, "Rescind-Max-Staleness", value)
		switch want {
		case 200:
			wantStatus(t, rec, 200)
		case 503:
			wantProblem(t, rec, problem.Stale, "")
		case 400:
			wantProblem(t, rec, problem.InvalidField, "Rescind-Max-Staleness")
		}
	}
	wantProblem(t, r.ask("/v1/check", raw, "Rescind-Max-Staleness", "1h", "Rescind-Max-Staleness", "1h"), problem.InvalidField, "Rescind-Max-Staleness")
	wantOAuthError(t, r.introspectWith(raw, "Rescind-Max-Staleness", "0.5"), http.StatusServiceUnavailable, "temporarily_unavailable")
	wantOAuthError(t, r.introspectWith(raw, "Rescind-Max-Staleness", "-1"), http.StatusBadRequest, "invalid_request")
	wantStatus(t, r.introspectWith(raw, "Rescind-Max-Staleness", "2"), http.StatusOK)

	// It may not loosen, and an unknown staleness meets no bound.
	r.node.verdict = rescind.Stale
	wantProblem(t, r.ask("/v1/check", raw, "Rescind-Max-Staleness", "1000h"), problem.Stale, "")
	r.node.verdict, r.node.status.Staleness = rescind.Valid, cluster.Staleness{}
	wantProblem(t, r.ask("/v1/check", raw, "Rescind-Max-Staleness", "1000h"), problem.Stale, "")
	wantStatus(t, r.ask("/v1/check", raw), http.StatusOK)
	for _, value := range []string{"1ns", "x"} {
		r.node.verdict = rescind.Revoked
		wantProblem(t, r.ask("/v1/check", raw, "Rescind-Max-Staleness", value), problem.Token, "")
	}
}

func TestCheckWithAVersion(t *testing.T) {
	r := newRig(t)
	raw := access(t)
	wantStatus(t, r.ask("/v1/check", raw, "Rescind-Version", "1-1"), http.StatusOK)
	wantProblem(t, r.ask("/v1/check", raw, "Rescind-Version", "behind"), problem.Behind, "")
	wantProblem(t, r.ask("/v1/check", raw, "Rescind-Version", "busy"), problem.Busy, "")
	for _, value := range []string{"", "x", "1-1,1-1"} {
		wantProblem(t, r.ask("/v1/check", raw, "Rescind-Version", value), problem.InvalidField, "Rescind-Version")
	}
	wantStatus(t, r.introspectWith(raw, "Rescind-Version", "1-1"), http.StatusOK)
	wantOAuthError(t, r.introspectWith(raw, "Rescind-Version", "behind"), http.StatusServiceUnavailable, "temporarily_unavailable")
	wantOAuthError(t, r.introspectWith(raw, "Rescind-Version", "x"), http.StatusBadRequest, "invalid_request")

	r.node.verdict = rescind.Revoked
	for _, value := range []string{"1-1", "behind", "busy", "x", ""} {
		wantProblem(t, r.ask("/v1/check", raw, "Rescind-Version", value), problem.Token, "")
		if rec := r.introspectWith(raw, "Rescind-Version", value); rec.Body.String() != `{"active":false}` {
			t.Errorf("%q: %s", value, rec.Body)
		}
	}
}

// TestMutationsSendTheVersion: as a header, so that nobody has to parse.
func TestMutationsSendTheVersion(t *testing.T) {
	r := newRig(t)
	for name, rec := range map[string]*httptest.ResponseRecorder{
		"session":     r.do("DELETE", "/v1/session", access(t, "sid", "1"), "", ""),
		"sessions":    r.do("DELETE", "/v1/sessions", access(t, "sub", "2", "sid", "2"), "", ""),
		"revocations": r.post("/v1/revocations", `{"scope":"jti","id":"x"}`),
		"oauth":       r.form("/oauth2/revoke", "", "token="+access(t, "sub", "3")),
	} {
		if got := rec.Header().Get("Rescind-Version"); got != "1-1" {
			t.Errorf("%s: version %q", name, got)
		}
	}
	r.node.err = rescind.ErrFull
	if rec := r.post("/v1/revocations", `{"scope":"jti","id":"x"}`); rec.Header()["Rescind-Version"] != nil {
		t.Error("a revocation that was not accepted has a version")
	}
}
