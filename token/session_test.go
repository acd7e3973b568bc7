package token

import (
	"errors"
	"testing"
	"time"

	"rescind"
)

// wantEnded checks which pairs are dead, access and refresh token alike; it
// does not use refresh tokens up.
func (w *world) wantEnded(t *testing.T, ended bool, pairs ...Pair) {
	t.Helper()
	var want error
	if ended {
		want = ErrRevoked
	}
	for n, p := range pairs {
		_, err := w.verifier.Verify(p.AccessToken)
		if !errors.Is(err, want) {
			t.Fatalf("access token %d: %v; want %v", n, err, want)
		}
		v, err := w.issuer.verifyRefresh(p.RefreshToken)
		wantError(t, err, nil)
		if got := check(w.node, v); (got == rescind.Revoked) != ended {
			t.Fatalf("refresh token %d: %v", n, got)
		}
	}
}

func TestLogoutEndsOneSession(t *testing.T) {
	w := newWorld(t, nil)
	phone, laptop := w.login(t, LoginOptions{}), w.login(t, LoginOptions{})
	v, err := w.verifier.Verify(phone.AccessToken)
	wantError(t, err, nil)
	if err := w.issuer.Logout(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.wantEnded(t, true, phone)
	w.wantEnded(t, false, laptop)
}

func TestLogoutAllAndLoginInTheSameMillisecond(t *testing.T) {
	w := newWorld(t, nil)
	var ended []Pair
	for range 5 {
		p := w.login(t, LoginOptions{})
		w.wantEnded(t, false, p)
		if err := w.issuer.LogoutAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		ended = append(ended, p)
		w.wantEnded(t, true, ended...)
	}
	w.wantEnded(t, false, w.login(t, LoginOptions{}))
}

// TestLogoutAllIsNeverTooSoon: where a revocation reaches far ahead everything
// is logged out already.
func TestLogoutAllIsNeverTooSoon(t *testing.T) {
	w := newWorld(t, nil)
	r := rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: testIssuer, ID: "alice"}}
	r.IssuedBefore = w.now.Add(rescind.MaxClockSkew)
	w.node.revoke(t, r)
	if err := w.issuer.LogoutAll(t.Context(), "alice"); err != nil {
		t.Error(err)
	}
}

func TestLogoutOthersKeepsTheCurrentSession(t *testing.T) {
	w := newWorld(t, func(c *SignerConfig) { c.SessionLifetime = time.Hour })
	start := w.now
	other := w.login(t, LoginOptions{})
	old := w.login(t, LoginOptions{Claims: map[string]any{"device": "phone"}})
	w.now = w.now.Add(time.Minute)
	fresh := w.login(t, LoginOptions{})
	kept, err := w.issuer.LogoutOthers(t.Context(), old.RefreshToken)
	wantError(t, err, nil)
	w.wantEnded(t, true, other, fresh, old)
	w.wantEnded(t, false, kept)
	if kept.SessionID != old.SessionID {
		t.Error("another session")
	}
	next := w.refresh(t, kept)
	w.wantEnded(t, false, next)
	var c struct {
		AuthTime float64 `json:"auth_time"`
		Device   string  `json:"device"`
	}
	v, err := w.verifier.Verify(next.AccessToken)
	wantError(t, err, nil)
	if err := v.Decode(&c); err != nil || c.AuthTime != float64(start.UnixMilli())/1000 || c.Device != "phone" {
		t.Errorf("got %+v, %v", c, err)
	}

	_, err = w.issuer.LogoutOthers(t.Context(), old.RefreshToken)
	wantError(t, err, ErrRevoked)
	again, err := w.issuer.LogoutOthers(t.Context(), next.RefreshToken)
	wantError(t, err, nil)
	w.wantEnded(t, true, next)

	w.now = start.Add(time.Hour) // the hard end has not moved
	_, err = w.issuer.Refresh(t.Context(), again.RefreshToken)
	wantError(t, err, ErrExpired)
}

func TestLogoutOthersAfterTheClockWentBack(t *testing.T) {
	w := newWorld(t, nil)
	old := w.login(t, LoginOptions{})
	w.now = w.now.Add(-2 * time.Millisecond)
	kept, err := w.issuer.LogoutOthers(t.Context(), old.RefreshToken)
	wantError(t, err, nil)
	w.wantEnded(t, true, old)
	w.wantEnded(t, false, kept)
	w.wantEnded(t, false, w.refresh(t, kept))
}

func TestLogoutOthersNoticesReuse(t *testing.T) {
	w := newWorld(t, nil)
	old := w.login(t, LoginOptions{})
	next := w.refresh(t, old)
	w.now = w.now.Add(time.Minute)
	_, err := w.issuer.LogoutOthers(t.Context(), old.RefreshToken)
	wantError(t, err, ErrReused)
	w.wantEnded(t, true, next)
}

func TestPasswordChanged(t *testing.T) {
	w := newWorld(t, nil)
	before := w.login(t, LoginOptions{})
	changed := w.now
	w.now = w.now.Add(time.Millisecond)
	after := w.login(t, LoginOptions{})
	if err := w.issuer.PasswordChanged(t.Context(), "alice", changed); err != nil {
		t.Fatal(err)
	}
	w.wantEnded(t, true, before)
	w.wantEnded(t, false, after)
	if err := w.issuer.PasswordChanged(t.Context(), "alice", time.Time{}); err != nil {
		t.Fatal(err)
	}
	w.wantEnded(t, true, before, after)
	w.wantEnded(t, false, w.login(t, LoginOptions{}))
	err := w.issuer.PasswordChanged(t.Context(), "alice", w.now.Add(time.Hour))
	if _, ok := errors.AsType[*rescind.InvalidError](err); !ok {
		t.Errorf("error is %v", err)
	}
}

func TestOnePerClient(t *testing.T) {
	w := newWorld(t, nil)
	one := func(client string) Pair { return w.login(t, LoginOptions{ClientID: client, Only: OnePerClient}) }
	any := w.login(t, LoginOptions{ClientID: "tv"})
	tv, app := one("tv"), one("app")
	w.wantEnded(t, false, tv, app, any)
	bob, err := w.issuer.Login(t.Context(), "bob", LoginOptions{ClientID: "tv", Only: OnePerClient})
	wantError(t, err, nil)
	for range 3 { // in one millisecond
		next := one("tv")
		w.wantEnded(t, true, tv)
		w.wantEnded(t, false, next, app, any, bob)
		refreshed := w.refresh(t, next)
		w.wantEnded(t, false, refreshed)
		tv = refreshed
	}
	v, err := w.verifier.Verify(tv.AccessToken)
	wantError(t, err, nil)
	if err := w.issuer.Logout(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.wantEnded(t, false, one("tv")) // logging out is not for ever
}

// TestTheLatestLoginStays also where the clock of the node of the one before
// was ahead.
func TestTheLatestLoginStays(t *testing.T) {
	for name, only := range map[string]Only{"subject": OnePerSubject, "client": OnePerClient} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.now = w.now.Add(4 * time.Second)
			ahead := w.login(t, LoginOptions{ClientID: "tv", Only: only})
			w.now = w.now.Add(-4 * time.Second)
			last := w.login(t, LoginOptions{ClientID: "tv", Only: only})
			w.wantEnded(t, true, ahead)
			w.wantEnded(t, false, last)
		})
	}
}

func TestLoginOptionMistakes(t *testing.T) {
	w := newWorld(t, nil)
	for name, o := range map[string]LoginOptions{
		"no client":   {Only: OnePerClient},
		"no such":     {Only: OnePerClient + 1},
		"session_iat": {Claims: map[string]any{claimSessionIssued: 1}},
		"client flag": {Claims: map[string]any{claimClientSession: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := w.issuer.Login(t.Context(), "alice", o); err == nil || Status(err) != 400 {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// TestStalenessOfAClientSession: the second question does not hide the first
// one's answer.
func TestStalenessOfAClientSession(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{ClientID: "tv", Only: OnePerClient})
	for verdict, want := range map[rescind.Verdict]error{rescind.Stale: ErrStale, rescind.Unknown: ErrNotReady} {
		w.node.override = verdict
		_, err := w.verifier.Verify(p.AccessToken)
		wantError(t, err, want)
	}
}
