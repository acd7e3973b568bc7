package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/internal/problem"
	"rescind/token"
)

// Explain makes the fake node a token.Explainer.
func (n *fakeNode) Explain(t rescind.Token) (out []rescind.Finding) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, scope := range rescind.Scopes() {
		f := rescind.Finding{Scope: scope}
		if id := t.Value(scope); id != "" {
			f.Digest = rescind.MakeDigest(scope, 1, 2)
			f.Record, f.Held = n.records[rescind.Key{Scope: scope, Issuer: t.Issuer, ID: id}]
			f.Covers = f.Held && f.Record.Covers(t.IssuedAt)
		}
		out = append(out, f)
	}
	return out
}

func (r *rig) explain(raw string) explanationJSON {
	r.t.Helper()
	rec := r.post("/v1/explain", `{"token":"`+raw+`"}`)
	wantStatus(r.t, rec, http.StatusOK)
	for _, part := range strings.Split(raw, ".") {
		if len(part) > 30 && strings.Contains(rec.Body.String()+r.log.String(), part) {
			r.t.Errorf("the token is repeated: %s %s", rec.Body, r.log)
		}
	}
	return decode[explanationJSON](r.t, rec.Body)
}

func (e explanationJSON) outcome(scope string) string {
	for _, f := range e.Scopes {
		if f.Scope == scope {
			return f.Outcome
		}
	}
	return "none"
}

func TestExplain(t *testing.T) {
	r := newRig(t)
	e := r.explain(access(t, "client_id", nil))
	if e.Result != "valid" || e.Status != 200 || e.Check != "" || e.Token.Subject != "alice" || e.outcome("sid") != string(token.NotRevoked) || e.outcome("client_id") != string(token.Absent) {
		t.Errorf("%+v", e)
	}
	wantStatus(t, r.post("/v1/revocations", `{"scope":"sid","id":"session-1"}`), http.StatusCreated)
	e = r.explain(access(t))
	if e.Result != "revoked" || e.Status != 401 || e.Check != "revocation" || e.outcome("sid") != string(token.CoveredBy) || e.outcome("sub") != string(token.NotRevoked) {
		t.Errorf("%+v", e)
	}
	wantStatus(t, r.post("/v1/revocations", `{"scope":"sub","id":"bob","issued_before":"2026-01-01T00:00:00Z"}`), http.StatusCreated)
	if e = r.explain(access(t, "sub", "bob", "sid", "session-2")); e.Result != "valid" || e.outcome("sub") != string(token.IssuedLater) {
		t.Errorf("%+v", e)
	}
	if e = r.explain(access(t, "exp", time.Now().Add(-time.Hour).Unix(), "iat", time.Now().Add(-2*time.Hour).Unix())); e.Result != "expired" || e.outcome("sid") != string(token.CoveredBy) {
		t.Errorf("an expired token is explained, too: %+v", e)
	}
	odd := access(t, "sub", "mallory")
	if e = r.explain(odd[:len(odd)-4] + "AAAA"); e.Result != "invalid" || e.Check != "signature" || e.Token != nil || len(e.Scopes) != 0 {
		t.Errorf("a forged token proves nothing: %+v", e)
	}
	r.node.verdict = rescind.Stale
	if e = r.explain(access(t, "sid", "session-3")); e.Result != "stale" || e.Status != 503 {
		t.Errorf("%+v", e)
	}
}

func TestExplainRefusesOddRequests(t *testing.T) {
	r := newRig(t)
	wantProblem(t, r.post("/v1/explain", `{}`), problem.InvalidField, "token")
	wantProblem(t, r.post("/v1/explain", `{"token":"a","x":1}`), problem.InvalidField, "x")
	wantProblem(t, r.do("POST", "/v1/explain", access(t), "application/json", `{"token":"a"}`), problem.Admin, "")
	wantProblem(t, r.form("/v1/explain", testAdmin, "token=a"), problem.MediaType, "")
}
