package token

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rescind"
)

// TestSessionsAgainstAModel drives two Issuers that share keys and a node with
// random logins, refreshes, retries, thefts, log-outs and clock steps, and
// compares every outcome, and after every step every token's, with a model that
// keeps what the Issuers do not: a table of sessions.
func TestSessionsAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel()
		rt.Repeat(map[string]func(*rapid.T){
			"":                m.check,
			"login":           m.login,
			"refresh":         m.refreshLatest,
			"present any":     m.presentAny,
			"logout":          m.logout,
			"logout all":      m.logoutAll,
			"logout others":   m.logoutOthers,
			"change password": m.changePassword,
			"step":            m.step,
			"step far":        m.stepFar,
		})
	})
}

const (
	modelAccess  = time.Minute
	modelRefresh = 10 * time.Minute
	modelSession = 25 * time.Minute
)

type model struct {
	now      time.Time
	issuers  [2]*Issuer
	verifier *Verifier

	pairs     []*modelPair
	cut       map[string]rescind.Millis    // per subject: what began by then has ended
	clientCut map[[2]string]rescind.Millis // per subject and client, for OnePerClient
}

type modelSess struct {
	subject, client string
	only            Only
	began           rescind.Millis
	ended           bool
}

// modelPair is what one login or refresh gave.
type modelPair struct {
	Pair
	*modelSess
	date   rescind.Millis // that log-outs compare with
	issued rescind.Millis
	used   rescind.Millis // 0: never
	next   *modelPair
}

func newModel() *model {
	m := &model{now: epoch, cut: map[string]rescind.Millis{}, clientCut: map[[2]string]rescind.Millis{}}
	clock := func() time.Time { return m.now }
	n := newNode(clock)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	c := SignerConfig{
		Issuer: testIssuer, Keys: must(GenerateKeySet()), Checker: n, Revoker: n, Now: clock, Logger: quiet,
		AccessLifetime: modelAccess, RefreshLifetime: modelRefresh, SessionLifetime: modelSession,
	}
	m.issuers = [2]*Issuer{must(NewIssuer(c)), must(NewIssuer(c))}
	m.verifier = must(NewVerifier(context.Background(), VerifierConfig{
		Issuers: []IssuerConfig{m.issuers[0].Trust()}, Checker: n, Now: clock, Logger: quiet,
	}))
	return m
}

func (m *model) millis() rescind.Millis { return rescind.MillisOf(m.now) }

func (m *model) issuer(t *rapid.T) *Issuer { return m.issuers[rapid.IntRange(0, 1).Draw(t, "node")] }

func (m *model) any(t *rapid.T) *modelPair {
	if len(m.pairs) == 0 {
		t.Skip("nobody has signed in")
	}
	return m.pairs[rapid.IntRange(0, len(m.pairs)-1).Draw(t, "pair")]
}

func (m *model) hasEnded(p *modelPair) bool {
	return p.ended || p.date <= m.cut[p.subject] ||
		p.only == OnePerClient && p.date <= m.clientCut[[2]string{p.subject, p.client}]
}

// expiry is the end of a token, in whole seconds.
func (p *modelPair) expiry(lifetime time.Duration) rescind.Millis {
	return min(p.issued.Add(lifetime), p.began.Add(modelSession)) / 1000 * 1000
}

// timely is what a verifier says of a token's times.
func (m *model) timely(p *modelPair, lifetime time.Duration) error {
	switch {
	case p.expiry(lifetime).Add(DefaultLeeway) <= m.millis():
		return ErrExpired
	case p.issued > m.millis().Add(DefaultLeeway):
		return ErrIssuedInFuture
	}
	return nil
}

// after returns the first instant from now on that is later than every cut.
func (m *model) after(cuts ...rescind.Millis) rescind.Millis {
	return max(m.millis(), slices.Max(cuts)+1)
}

func (m *model) login(t *rapid.T) {
	s := &modelSess{
		subject: rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "subject"),
		client:  rapid.SampledFrom([]string{"tv", "app"}).Draw(t, "client"),
		only:    rapid.SampledFrom([]Only{AnyNumber, AnyNumber, OnePerSubject, OnePerClient}).Draw(t, "only"),
	}
	pair, err := m.issuer(t).Login(t.Context(), s.subject, LoginOptions{ClientID: s.client, Only: s.only})
	if err != nil {
		t.Fatal(err)
	}
	at := [2]string{s.subject, s.client}
	switch s.only {
	case AnyNumber:
		s.began = m.after(m.cut[s.subject])
	case OnePerSubject:
		m.cut[s.subject] = m.after(m.cut[s.subject])
		s.began = m.after(m.cut[s.subject])
	case OnePerClient:
		m.clientCut[at] = m.after(m.clientCut[at])
		s.began = m.after(m.cut[s.subject], m.clientCut[at])
	}
	m.pairs = append(m.pairs, &modelPair{Pair: pair, modelSess: s, date: s.began, issued: s.began})
}

func (m *model) refreshLatest(t *rapid.T) { m.present(t, m.latest(m.any(t))) }

func (m *model) presentAny(t *rapid.T) { m.present(t, m.any(t)) }

func (m *model) latest(p *modelPair) *modelPair {
	for p.next != nil {
		p = p.next
	}
	return p
}

// verdict is what becomes of a refresh token that is presented now.
func (m *model) verdict(p *modelPair) (retry bool, err error) {
	now := m.millis()
	switch late := m.timely(p, modelRefresh); {
	case late != nil:
		return false, late
	case m.hasEnded(p):
		return false, ErrRevoked
	case p.used != 0 && (now-p.used > rescind.Millis(DefaultRetryGrace.Milliseconds()) || p.next != nil && p.next.used != 0):
		return false, ErrReused
	case p.expiry(modelSession) <= now:
		return false, ErrExpired
	}
	return p.used != 0, nil
}

func (m *model) present(t *rapid.T, p *modelPair) {
	retry, want := m.verdict(p)
	got, err := m.issuer(t).Refresh(t.Context(), p.RefreshToken)
	if !errors.Is(err, want) {
		t.Fatalf("error is %v; want %v", err, want)
	}
	switch {
	case errors.Is(want, ErrReused):
		p.ended = true
	case retry && (got.AccessToken != p.next.AccessToken || got.RefreshToken != p.next.RefreshToken):
		t.Fatal("a retry gave other tokens")
	case want == nil && !retry:
		p.used = max(m.millis(), p.date)
		p.next = &modelPair{Pair: got, modelSess: p.modelSess, date: p.date, issued: p.used}
		m.pairs = append(m.pairs, p.next)
	}
}

func (m *model) logout(t *rapid.T) {
	p := m.any(t)
	v, err := m.verifier.VerifyIgnoringRevocation(p.AccessToken, Inspection{AllowExpired: true})
	if errors.Is(err, ErrIssuedInFuture) {
		t.Skip("after a step back")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := m.issuer(t).Logout(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	p.ended = true
}

func (m *model) logoutAll(t *rapid.T) {
	subject := rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "subject")
	if err := m.issuer(t).LogoutAll(t.Context(), subject); err != nil {
		t.Fatal(err)
	}
	m.cut[subject] = m.after(m.cut[subject])
}

func (m *model) logoutOthers(t *rapid.T) {
	p := m.any(t)
	_, want := m.verdict(p)
	got, err := m.issuer(t).LogoutOthers(t.Context(), p.RefreshToken)
	if !errors.Is(err, want) {
		t.Fatalf("error is %v; want %v", err, want)
	}
	if errors.Is(want, ErrReused) {
		p.ended = true
	}
	if errors.Is(want, ErrExpired) && m.timely(p, modelRefresh) == nil || want == nil {
		m.cut[p.subject] = max(m.after(m.cut[p.subject]), p.date)
	}
	if want == nil {
		date := m.after(m.cut[p.subject], m.clientCut[[2]string{p.subject, p.client}])
		if p.only != OnePerClient {
			date = m.after(m.cut[p.subject])
		}
		m.pairs = append(m.pairs, &modelPair{Pair: got, modelSess: p.modelSess, date: date, issued: date})
	}
}

func (m *model) changePassword(t *rapid.T) {
	subject := rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "subject")
	ago := time.Duration(rapid.IntRange(0, 60_000).Draw(t, "ms ago")) * time.Millisecond
	at := m.now.Add(-ago)
	if err := m.issuer(t).PasswordChanged(t.Context(), subject, at); err != nil {
		t.Fatal(err)
	}
	m.cut[subject] = max(m.cut[subject], rescind.MillisOf(at))
}

// step moves the clock by little, also back.
func (m *model) step(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(-500, 4_000).Draw(t, "ms")) * time.Millisecond)
}

func (m *model) stepFar(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "s")) * time.Second)
}

// check verifies every access token.
func (m *model) check(t *rapid.T) {
	for _, p := range m.pairs {
		want := m.timely(p, modelAccess)
		if want == nil && m.hasEnded(p) {
			want = ErrRevoked
		}
		if _, err := m.verifier.Verify(p.AccessToken); !errors.Is(err, want) {
			t.Fatalf("issued %d, at %d: %v; want %v", p.issued, m.millis(), err, want)
		}
	}
}
