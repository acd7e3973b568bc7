package token

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"rescind"
)

// consumer is the obvious Consumer, and a Checker that knows of the uses.
type consumer struct {
	*node
	mu   sync.Mutex
	used map[string]bool
	fail error
}

func (c *consumer) Consume(_ context.Context, t rescind.Token, _ rescind.Mode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.fail != nil:
		return c.fail
	case c.used[t.ID]:
		return rescind.ErrConsumed
	case c.Check(t) == rescind.Revoked:
		return rescind.ErrRevoked
	}
	c.used[t.ID] = true
	return nil
}

func TestOneTimeTokenWorksOnce(t *testing.T) {
	w := newWorld(t, nil)
	c := &consumer{node: w.node, used: map[string]bool{}}
	raw := must(w.issuer.OneTime(t.Context(), "alice", OneTimeOptions{ClientID: "mail", Claims: map[string]any{"purpose": "reset"}}))
	if _, err := w.verifier.Verify(raw); !errors.Is(err, ErrType) {
		t.Errorf("as an access token: %v", err)
	}
	if _, err := w.issuer.Refresh(t.Context(), raw); err == nil {
		t.Error("it passes for a refresh token")
	}
	v, err := w.verifier.Consume(t.Context(), c, raw, rescind.Strict)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ClaimsAs[struct {
		Purpose string `json:"purpose"`
	}](v)
	if err != nil || got.Purpose != "reset" || v.Token.Subject != "alice" || v.Token.ClientID != "mail" || v.Token.Session != "" {
		t.Errorf("%+v, %+v, %v", v.Token, got, err)
	}
	_, err = w.verifier.Consume(t.Context(), c, raw, rescind.Available)
	wantError(t, err, ErrConsumed)
	w.now = w.now.Add(DefaultOneTimeLifetime + time.Minute)
	_, err = w.verifier.Consume(t.Context(), c, raw, rescind.Available)
	wantError(t, err, ErrExpired)
}

// A password change ends the links that were sent before, and a session's end
// those that are tied to it.
func TestOneTimeTokensEnd(t *testing.T) {
	w := newWorld(t, nil)
	c := &consumer{node: w.node, used: map[string]bool{}}
	pair := w.login(t, LoginOptions{})
	before := must(w.issuer.OneTime(t.Context(), "alice", OneTimeOptions{}))
	tied := must(w.issuer.OneTime(t.Context(), "bob", OneTimeOptions{SessionID: pair.SessionID}))
	if err := w.issuer.LogoutAll(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	w.node.revoke(t, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSID, Issuer: testIssuer, ID: pair.SessionID}})
	after := must(w.issuer.OneTime(t.Context(), "alice", OneTimeOptions{}))
	for raw, want := range map[string]error{before: ErrRevoked, tied: ErrRevoked, after: nil} {
		_, err := w.verifier.Consume(t.Context(), c, raw, rescind.Available)
		wantError(t, err, want)
	}
	if _, err := w.issuer.OneTime(t.Context(), "bob", OneTimeOptions{SessionID: pair.SessionID}); !errors.Is(err, ErrRevoked) {
		t.Errorf("for a session that has ended: %v", err)
	}
}

func TestOneTimeRefusesNonsense(t *testing.T) {
	w := newWorld(t, nil)
	for name, o := range map[string]OneTimeOptions{
		"too long": {Lifetime: DefaultMaxLifetime + time.Second}, "negative": {Lifetime: -1}, "own claim": {Claims: map[string]any{"jti": "x"}},
	} {
		if raw, err := w.issuer.OneTime(t.Context(), "alice", o); err == nil {
			t.Errorf("%s: %s", name, raw)
		}
	}
	if _, err := w.issuer.OneTime(t.Context(), "", OneTimeOptions{}); err == nil {
		t.Error("nobody's token")
	}
	c := hsIssuer()
	c.Types = []string{TypeOneTime}
	if _, err := NewVerifier(t.Context(), VerifierConfig{Issuers: []IssuerConfig{c}, Checker: w.node}); err == nil {
		t.Error("one-time tokens can be made access tokens")
	}
}

func TestConsumeErrors(t *testing.T) {
	w := newWorld(t, nil)
	raw := must(w.issuer.OneTime(t.Context(), "alice", OneTimeOptions{}))
	for err, want := range map[error]int{
		rescind.ErrConsumed: 409, rescind.ErrRevoked: 401, rescind.ErrUndecided: 503, rescind.ErrStrictOff: 400,
		rescind.ErrStale: 503, rescind.ErrNotReady: 503, rescind.ErrFull: 503, errors.New("disk"): 500, context.DeadlineExceeded: 503,
	} {
		_, got := w.verifier.Consume(t.Context(), &consumer{node: w.node, fail: err}, raw, rescind.Strict)
		if Status(got) != want {
			t.Errorf("%v: %v is %d, want %d", err, got, Status(got), want)
		}
	}
}
