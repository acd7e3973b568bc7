package token

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"rescind"
)

func TestRefreshRotates(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{ClientID: "app", Claims: map[string]any{"roles": []int{1}}})
	for range 3 {
		w.now = w.now.Add(time.Minute)
		next := w.refresh(t, p)
		if next.SessionID != p.SessionID || next.RefreshToken == p.RefreshToken {
			t.Fatal("another session, or the same token")
		}
		v, err := w.verifier.Verify(next.AccessToken)
		wantError(t, err, nil)
		var extra struct {
			Roles []int   `json:"roles"`
			IAT   float64 `json:"iat"`
		}
		if err := v.Decode(&extra); err != nil || len(extra.Roles) != 1 || v.Token.ClientID != "app" {
			t.Fatalf("claims were lost: %s, %v", v.Claims(), err)
		}
		if extra.IAT != float64(w.now.UnixMilli())/1000 {
			t.Errorf("iat is %v", extra.IAT)
		}
		p = next
	}
}

func TestReuseOfARefreshTokenEndsTheSession(t *testing.T) {
	w := newWorld(t, nil)
	stolen := w.login(t, LoginOptions{})
	other := w.login(t, LoginOptions{})
	next := w.refresh(t, stolen)
	w.now = w.now.Add(DefaultRetryGrace + time.Millisecond)
	_, err := w.issuer.Refresh(t.Context(), stolen.RefreshToken)
	wantError(t, err, ErrReused)
	if Status(err) != 401 {
		t.Errorf("status %d", Status(err))
	}
	_, err = w.verifier.Verify(next.AccessToken)
	wantError(t, err, ErrRevoked)
	_, err = w.issuer.Refresh(t.Context(), next.RefreshToken)
	wantError(t, err, ErrRevoked)
	_, err = w.issuer.Refresh(t.Context(), stolen.RefreshToken)
	wantError(t, err, ErrRevoked) // the session is over; nothing new to report
	w.refresh(t, other)
}

func TestConcurrentRefreshesHaveOneSuccessor(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	var mu sync.Mutex
	outcomes := map[string]int{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			next, err := w.issuer.Refresh(context.Background(), p.RefreshToken)
			mu.Lock()
			defer mu.Unlock()
			outcomes[fmt.Sprint(next.AccessToken, next.RefreshToken, err)]++
		})
	}
	all.Wait()
	if len(outcomes) != 1 {
		t.Errorf("%d different outcomes", len(outcomes))
	}
	if len(w.issuer.rotating) != 0 {
		t.Errorf("%d tokens are left locked", len(w.issuer.rotating))
	}
	if got, want := w.issuer.Stats(), (Stats{Refreshed: 1, Retried: 7}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestRefreshWaitsNoLongerThanItsContext(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	v, err := w.verifier.VerifyIgnoringRevocation(p.RefreshToken, Inspection{Types: []string{TypeRefresh}})
	wantError(t, err, nil)
	release, err := w.issuer.acquire(t.Context(), v.Token.ID)
	wantError(t, err, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.issuer.Refresh(ctx, p.RefreshToken); !errors.Is(err, context.Canceled) || Status(err) != 503 {
		t.Errorf("error is %v", err)
	}
	release()
	w.refresh(t, p)
}

func TestRefreshWhenRevokingFails(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	w.node.fail = rescind.ErrFull
	if _, err := w.issuer.Refresh(t.Context(), p.RefreshToken); !errors.Is(err, rescind.ErrFull) || Status(err) != 503 {
		t.Errorf("error is %v", err)
	}
	w.node.fail = nil
	p = w.refresh(t, p) // not used up

	w.node.after = fmt.Errorf("one of two: %w", rescind.ErrUnconfirmed) // durable, but not confirmed
	next := w.refresh(t, p)
	w.now = w.now.Add(DefaultRetryGrace + time.Millisecond)
	_, err := w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrReused)
	_, err = w.verifier.Verify(next.AccessToken)
	wantError(t, err, ErrRevoked)

	w.node.after = nil
	p = w.login(t, LoginOptions{})
	w.refresh(t, p)
	w.now = w.now.Add(DefaultRetryGrace + time.Millisecond)
	w.node.fail = rescind.ErrClosed
	if _, err := w.issuer.Refresh(t.Context(), p.RefreshToken); !errors.Is(err, ErrReused) || !errors.Is(err, rescind.ErrClosed) {
		t.Errorf("error is %v", err)
	}
}

func TestRefreshWhileTheNodeCannotKnow(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	for verdict, want := range map[rescind.Verdict]error{rescind.Stale: ErrStale, rescind.Unknown: ErrNotReady} {
		w.node.override = verdict
		_, err := w.issuer.Refresh(t.Context(), p.RefreshToken)
		wantError(t, err, want)
	}
	w.node.override = rescind.Valid
	w.refresh(t, p)
}

// TestRefreshDoesNotOutrunALogout: a node that has not yet heard of "log out
// everywhere" refreshes; once it has heard, the new tokens are revoked as well,
// although their iat is later than the log-out.
func TestRefreshDoesNotOutrunALogout(t *testing.T) {
	w := newWorld(t, nil)
	p := w.login(t, LoginOptions{})
	w.now = w.now.Add(time.Minute)
	loggedOut := w.now // elsewhere
	w.now = w.now.Add(time.Second)
	p = w.refresh(t, p)
	w.node.revoke(t, rescind.Revocation{
		Key:          rescind.Key{Scope: rescind.ScopeSub, Issuer: testIssuer, ID: "alice"},
		IssuedBefore: loggedOut,
	})
	_, err := w.verifier.Verify(p.AccessToken)
	wantError(t, err, ErrRevoked)
	_, err = w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrRevoked)
}

func TestSessionTimeouts(t *testing.T) {
	w := newWorld(t, func(c *SignerConfig) {
		c.AccessLifetime, c.RefreshLifetime, c.SessionLifetime = time.Minute, 10*time.Minute, 25*time.Minute
	})
	p := w.login(t, LoginOptions{})
	start := w.now
	w.now = start.Add(9 * time.Minute)
	p = w.refresh(t, p)
	w.now = start.Add(18 * time.Minute)
	p = w.refresh(t, p)
	w.now = start.Add(24*time.Minute + 30*time.Second)
	p = w.refresh(t, p)
	if p.ExpiresIn > 30 {
		t.Errorf("the access token outlives the session: %d s", p.ExpiresIn)
	}
	w.now = start.Add(25*time.Minute + time.Second) // within the leeway
	_, err := w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrExpired)

	p = w.login(t, LoginOptions{})
	w.now = w.now.Add(10*time.Minute + DefaultLeeway)
	_, err = w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrExpired)
}

func TestForgedRefreshToken(t *testing.T) {
	w, other := newWorld(t, nil), newWorld(t, nil)
	_, err := w.issuer.Refresh(t.Context(), other.login(t, LoginOptions{}).RefreshToken)
	wantError(t, err, ErrUnknownKey)
	_, err = w.issuer.Refresh(t.Context(), "nonsense")
	wantError(t, err, ErrMalformed)
}
