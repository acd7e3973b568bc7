package token

import (
	"fmt"
	"testing"
	"time"

	"rescind"
)

// retry presents a refresh token again and wants these tokens.
func (w *world) retry(t *testing.T, i *Issuer, used, want Pair) {
	t.Helper()
	got, err := i.Refresh(t.Context(), used.RefreshToken)
	wantError(t, err, nil)
	if got.AccessToken != want.AccessToken || got.RefreshToken != want.RefreshToken {
		t.Fatal("the retry gave other tokens")
	}
}

// peer returns an Issuer on another node that is as good as instantly told of
// everything.
func (w *world) peer(t *testing.T) *Issuer {
	t.Helper()
	return must(NewIssuer(w.issuer.config))
}

func TestRetryWithinTheGraceGivesTheSameTokens(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{ClientID: "app", Claims: map[string]any{"b": map[string]any{"y": 1.50, "x": "é"}, "a": []int{1}}})
	w.now = w.now.Add(time.Minute)
	next := w.refresh(t, p)
	records := fmt.Sprint(w.node.records)
	for _, after := range []time.Duration{0, time.Millisecond, 9 * time.Second, 990 * time.Millisecond} { // 9,991 ms in all
		w.now = w.now.Add(after)
		w.retry(t, w.issuer, p, next)
		w.retry(t, w.peer(t), p, next)
	}
	if fmt.Sprint(w.node.records) != records {
		t.Error("a retry wrote something")
	}
	w.now = w.now.Add(9 * time.Millisecond) // the last one within the grace
	w.retry(t, w.issuer, p, next)
	if _, err := w.verifier.Verify(next.AccessToken); err != nil {
		t.Error(err)
	}
	w.now = w.now.Add(time.Millisecond)
	_, err := w.peer(t).Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrReused)
	_, err = w.verifier.Verify(next.AccessToken)
	wantError(t, err, ErrRevoked)
}

// TestRetryOfAnOlderTokenIsReuse: once the successor has been used, whoever has
// the older token did not get, or not keep, the answer.
func TestRetryOfAnOlderTokenIsReuse(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	last := w.refresh(t, w.refresh(t, p))
	var told []rescind.Token
	w.issuer.config.OnReuse = func(used rescind.Token) { told = append(told, used) }
	_, err := w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrReused)
	_, err = w.verifier.Verify(last.AccessToken)
	wantError(t, err, ErrRevoked)
	if len(told) != 1 || told[0].Session != p.SessionID || w.issuer.Stats().Reused != 1 {
		t.Errorf("told of %v, %+v", told, w.issuer.Stats())
	}
}

func TestGraceCannotOutliveTheSession(t *testing.T) {
	w := newWorld(t, func(c *SignerConfig) {
		c.AccessLifetime, c.RefreshLifetime, c.SessionLifetime = time.Second, 4*time.Second, 5*time.Second
	})
	start := w.now
	p := w.login(t, LoginOptions{})
	next := w.refresh(t, p)
	w.now = start.Add(3500 * time.Millisecond)
	w.retry(t, w.issuer, p, next)
	w.now = start.Add(5 * time.Second) // within the leeway of the refresh token
	_, err := w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrExpired)
}

func TestRetryAfterALogoutIsRefused(t *testing.T) {
	for name, end := range map[string]func(*world, *Verified) error{
		"session":    func(w *world, v *Verified) error { return w.issuer.Logout(t.Context(), v) },
		"everywhere": func(w *world, v *Verified) error { return w.issuer.LogoutAll(t.Context(), "alice") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.login(t, LoginOptions{})
			next := w.refresh(t, p)
			v, err := w.verifier.Verify(next.AccessToken)
			wantError(t, err, nil)
			if err := end(w, v); err != nil {
				t.Fatal(err)
			}
			for _, used := range []Pair{p, next} {
				_, err = w.issuer.Refresh(t.Context(), used.RefreshToken)
				wantError(t, err, ErrRevoked)
			}
			if w.issuer.Stats().Reused != 0 {
				t.Error("a log-out looks like theft")
			}
		})
	}
}

func TestNoGrace(t *testing.T) {
	w := newWorld(t, func(c *SignerConfig) { c.RetryGrace = -1 })
	p := w.login(t, LoginOptions{})
	w.refresh(t, p)
	_, err := w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrReused)
}

// TestRevokedRefreshTokenHasNoGrace: an operator who revokes the jti does not
// say when it was used.
func TestRevokedRefreshTokenHasNoGrace(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	v, err := w.issuer.verifyRefresh(p.RefreshToken)
	wantError(t, err, nil)
	w.node.revoke(t, v.This())
	_, err = w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrReused)
}

// TestRefreshOnTwoNodesThatDoNotHearEachOther: both are first uses, of which
// the successors are one token as far as rotation is concerned.
func TestRefreshOnTwoNodesThatDoNotHearEachOther(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	other := newNode(func() time.Time { return w.now })
	c := w.issuer.config
	c.Checker, c.Revoker = other, other
	here, there := w.issuer, must(NewIssuer(c))

	first := must(here.Refresh(t.Context(), p.RefreshToken))
	w.now = w.now.Add(2 * time.Second)
	second := must(there.Refresh(t.Context(), p.RefreshToken))
	for _, n := range []*node{w.node, other} { // now they have met
		for key, r := range w.node.records {
			n.records[key] = n.records[key].Join(r)
		}
		for key, r := range other.records {
			n.records[key] = n.records[key].Join(r)
		}
	}
	w.now = w.now.Add(9 * time.Second)
	w.retry(t, here, p, second)
	w.retry(t, there, p, second)

	w.refresh(t, first) // and so the second is used, too
	w.now = w.now.Add(DefaultRetryGrace + time.Millisecond)
	_, err := here.Refresh(t.Context(), second.RefreshToken)
	wantError(t, err, ErrReused)
}
