package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/internal/problem"
)

// Consume remembers uses as revocations, as a node does, and fails as told.
func (n *fakeNode) Consume(_ context.Context, t rescind.Token, _ rescind.Mode) error {
	key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: t.Issuer, ID: t.ID}
	n.mu.Lock()
	held := n.records[key]
	n.mu.Unlock()
	_, used := held.Use()
	switch {
	case n.err != nil:
		return n.err
	case used:
		return rescind.ErrConsumed
	case n.Check(t) == rescind.Revoked:
		return rescind.ErrRevoked
	}
	use := rescind.Use{At: rescind.MillisOf(time.Now()), Node: 1}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records[key] = rescind.Record{Digest: rescind.MakeDigest(key.Scope, 1, 2), IssuedBefore: use.IssuedBefore(), ExpiresAt: t.ExpiresAt}
	return nil
}

const consumePath = "/v1/tokens/consume"

func TestConsume(t *testing.T) {
	r := newRig(t)
	raw := access(t)
	rec := r.post(consumePath, `{"token":"`+raw+`","mode":"strict"}`)
	wantStatus(t, rec, http.StatusOK)
	if got := decode[consumed](t, rec.Body); got.TokenID != "token-1" || got.Subject != "alice" || got.Mode != "strict" || got.ExpiresAt.IsZero() {
		t.Errorf("%+v", got)
	}
	for _, mode := range []string{"strict", "available"} {
		wantProblem(t, r.post(consumePath, `{"token":"`+raw+`","mode":"`+mode+`"}`), problem.Consumed, "")
	}
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
	if log := r.log.String(); strings.Count(log, `"one-time token"`) != 1 || strings.Contains(log, raw) {
		t.Errorf("the log: %s", log)
	}
}

func TestConsumeByTheBearer(t *testing.T) {
	for name, body := range map[string]string{
		"in the header only": `{"mode":"available"}`,
		"in both":            `{"mode":"available","token":"` + access(t) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			wantStatus(t, r.do("POST", consumePath, access(t), "application/json", body), http.StatusOK)
			wantProblem(t, r.do("POST", consumePath, access(t), "application/json", body), problem.Consumed, "")
		})
	}
	r := newRig(t)
	other := `{"mode":"available","token":"` + access(t, "jti", "of-somebody-else") + `"}`
	wantProblem(t, r.do("POST", consumePath, access(t), "application/json", other), problem.Admin, "")
	wantProblem(t, r.do("POST", consumePath, "", "application/json", other), problem.Admin, "")
	if used := len(r.node.records); used != 0 {
		t.Errorf("%d tokens were used up by who does not have them", used)
	}
}

func TestConsumeRefuses(t *testing.T) {
	r := newRig(t)
	good := access(t)
	for _, body := range []string{`{"token":"` + good + `"}`, `{"token":"` + good + `","mode":"both"}`} {
		wantProblem(t, r.post(consumePath, body), problem.InvalidField, "mode")
	}
	wantProblem(t, r.post(consumePath, `{"token":"`+good+`","mode":"strict","jti":"x"}`), problem.InvalidField, "jti")
	for _, raw := range []string{"", "a.b.c", access(t, "exp", time.Now().Add(-time.Hour).Unix()), access(t, "iss", "https://other.example")} {
		wantProblem(t, r.post(consumePath, `{"token":"`+raw+`","mode":"strict"}`), problem.Token, "")
	}
	r.node.records[rescind.Key{Scope: rescind.ScopeSID, Issuer: testIssuer, ID: "session-1"}] = rescind.Record{IssuedBefore: rescind.Ever}
	wantProblem(t, r.post(consumePath, `{"token":"`+good+`","mode":"strict"}`), problem.Token, "")
	for err, want := range map[error]problem.Kind{
		rescind.ErrUndecided:     problem.Undecided,
		rescind.ErrNotReady:      problem.CannotKnow,
		rescind.ErrStale:         problem.Stale,
		rescind.ErrStrictOff:     problem.StrictOff,
		rescind.ErrUnavailable:   problem.Unstored, // JetStream does not answer
		rescind.ErrFull:          problem.Full,
		rescind.ErrIsolated:      problem.Isolated,
		context.DeadlineExceeded: problem.Timeout,
	} {
		r.node.err = err
		wantProblem(t, r.post(consumePath, `{"token":"`+access(t)+`","mode":"strict"}`), want, "")
	}
	if rec := r.do("POST", consumePath, testAdmin, "application/json", `{"mode":"strict"}`); rec.Code != http.StatusUnauthorized {
		t.Errorf("an admin token that is no one-time token: %d", rec.Code)
	}
}
