package token

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rescind"
)

// world is an Issuer, a Verifier that trusts it and the node they share, on one
// clock.
type world struct {
	now      time.Time
	node     *node
	issuer   *Issuer
	verifier *Verifier
}

func newWorld(t *testing.T, change func(*SignerConfig)) *world {
	t.Helper()
	w := &world{now: epoch.Add(123 * time.Millisecond)}
	clock := func() time.Time { return w.now }
	w.node = newNode(clock)
	c := SignerConfig{
		Issuer: testIssuer, Audience: []string{testAudience}, Keys: must(GenerateKeySet()),
		Checker: w.node, Revoker: w.node, Now: clock, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&c)
	}
	var err error
	if w.issuer, err = NewIssuer(c); err != nil {
		t.Fatal(err)
	}
	w.verifier = newVerifier(t, w.node, func(c *VerifierConfig) { c.Now = clock }, w.issuer.Trust())
	return w
}

func (w *world) login(t *testing.T, o LoginOptions) Pair {
	t.Helper()
	p, err := w.issuer.Login(t.Context(), "alice", o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) refresh(t *testing.T, p Pair) Pair {
	t.Helper()
	p, err := w.issuer.Refresh(t.Context(), p.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLoginGivesRevocableTokens(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{ClientID: "app", Claims: map[string]any{"roles": []string{"admin"}}})
	v, err := w.verifier.Verify(p.AccessToken)
	wantError(t, err, nil)
	if v.Token.Session != p.SessionID || len(v.Token.ID) < 22 || v.Token.ClientID != "app" || v.Type != TypeAccess {
		t.Errorf("got %+v, type %q", v.Token, v.Type)
	}
	if v.Token.IssuedAt != rescind.MillisOf(w.now) {
		t.Errorf("issued at %d; want %d", v.Token.IssuedAt, w.now.UnixMilli())
	}
	if !strings.Contains(string(v.Claims()), `"iat":1800000000.123`) {
		t.Errorf("iat has not three decimals: %s", v.Claims())
	}
	if p.TokenType != "Bearer" || p.ExpiresIn < 899 || p.ExpiresIn > 900 {
		t.Errorf("got %q, %d s", p.TokenType, p.ExpiresIn)
	}
	_, err = w.verifier.Verify(p.RefreshToken)
	wantError(t, err, ErrType)
	_, err = w.issuer.Refresh(t.Context(), p.AccessToken)
	wantError(t, err, ErrType)
	r, err := w.verifier.VerifyIgnoringRevocation(p.RefreshToken, Inspection{Types: []string{TypeRefresh}})
	wantError(t, err, nil)
	if r.Token.Session != p.SessionID || r.Token.ID == v.Token.ID {
		t.Errorf("refresh token: %+v", r.Token)
	}
}

func TestLoginRightAfterLogoutEverywhere(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Millisecond, 3 * time.Second, maxAhead - time.Millisecond} {
		t.Run(ahead.String(), func(t *testing.T) {
			w := newWorld(t, nil)
			old := w.login(t, LoginOptions{})
			v, err := w.verifier.Verify(old.AccessToken)
			wantError(t, err, nil)
			r := v.Subject()
			r.IssuedBefore = w.now.Add(ahead) // by a node whose clock is ahead
			w.node.revoke(t, r)
			_, err = w.verifier.Verify(old.AccessToken)
			wantError(t, err, ErrRevoked)

			fresh := w.login(t, LoginOptions{})
			v, err = w.verifier.Verify(fresh.AccessToken)
			wantError(t, err, nil)
			if want := rescind.MillisOf(w.now.Add(ahead)) + 1; v.Token.IssuedAt != want {
				t.Errorf("issued at %d; want %d", v.Token.IssuedAt, want)
			}
			fresh = w.refresh(t, fresh)
			_, err = w.verifier.Verify(fresh.AccessToken)
			wantError(t, err, nil)
		})
	}
}

func TestLoginThatCannotSucceed(t *testing.T) {
	w := newWorld(t, nil)
	key := rescind.Key{Scope: rescind.ScopeSub, Issuer: testIssuer, ID: "alice"}
	w.node.revoke(t, rescind.Revocation{Key: key, IssuedBefore: w.now.Add(maxAhead)})
	_, err := w.issuer.Login(t.Context(), "alice", LoginOptions{})
	wantError(t, err, ErrTooSoon)
	if Status(err) != 503 {
		t.Errorf("status %d", Status(err))
	}
	w.now = w.now.Add(time.Millisecond)
	w.login(t, LoginOptions{})

	w.node.revoke(t, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeClientID, Issuer: testIssuer, ID: "bad app"}})
	_, err = w.issuer.Login(t.Context(), "bob", LoginOptions{ClientID: "bad app"})
	wantError(t, err, ErrRevoked)

	for name, c := range map[string]struct {
		subject string
		claims  map[string]any
	}{
		"no subject":   {"", nil},
		"NUL":          {"a\x00", nil},
		"invalid text": {"a\xff", nil},
		"registered":   {"bob", map[string]any{"exp": 1}},
		"case variant": {"bob", map[string]any{"EXP": 1}},
		"too large":    {"bob", map[string]any{"x": strings.Repeat("a", DefaultMaxTokenBytes)}},
		"no JSON":      {"bob", map[string]any{"x": make(chan int)}},
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := w.issuer.Login(t.Context(), c.subject, LoginOptions{Claims: c.claims}); err == nil {
				t.Errorf("accepted: %v", p)
			}
		})
	}
}

func TestOnlySession(t *testing.T) {
	w := newWorld(t, nil)
	first := w.login(t, LoginOptions{})
	second := w.login(t, LoginOptions{Only: OnePerSubject})
	_, err := w.verifier.Verify(first.AccessToken)
	wantError(t, err, ErrRevoked)
	_, err = w.issuer.Refresh(t.Context(), first.RefreshToken)
	wantError(t, err, ErrRevoked)
	_, err = w.verifier.Verify(second.AccessToken)
	wantError(t, err, nil)
}

func TestRotatingKeysLogsNobodyOut(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	if err := rotate(w.issuer.config.Keys, 1); err != nil {
		t.Fatal(err)
	}
	_, err := w.verifier.Verify(p.AccessToken)
	wantError(t, err, nil)
	p = w.refresh(t, p)
	if err := rotate(w.issuer.config.Keys, 1); err != nil {
		t.Fatal(err)
	}
	_, err = w.verifier.Verify(p.AccessToken)
	wantError(t, err, nil)
}

func TestPairHidesItsTokens(t *testing.T) {
	p := newWorld(t, nil).login(t, LoginOptions{})
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("login", "pair", p)
	fmt.Fprintf(&b, "%v %+v %#v %s", p, p, p, p)
	if strings.Contains(b.String(), "ey") {
		t.Errorf("tokens are shown: %s", b.String())
	}
}

func TestSignerConfigMistakes(t *testing.T) {
	for name, change := range map[string]func(*SignerConfig){
		"no issuer":       func(c *SignerConfig) { c.Issuer = "" },
		"no keys":         func(c *SignerConfig) { c.Keys = nil },
		"empty keys":      func(c *SignerConfig) { c.Keys = new(KeySet) },
		"no checker":      func(c *SignerConfig) { c.Checker = nil },
		"no revoker":      func(c *SignerConfig) { c.Revoker = nil },
		"negative":        func(c *SignerConfig) { c.AccessLifetime = -1 },
		"access too long": func(c *SignerConfig) { c.AccessLifetime = DefaultMaxLifetime + 1 },
		"session too long": func(c *SignerConfig) {
			c.SessionLifetime = rescind.MaxLifetimeLimit + 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(atEpoch)
			c := SignerConfig{Issuer: testIssuer, Keys: must(GenerateKeySet()), Checker: n, Revoker: n}
			change(&c)
			if _, err := NewIssuer(c); err == nil {
				t.Error("accepted")
			}
		})
	}
}
