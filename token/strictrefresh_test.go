package token

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"rescind"
)

// strictPair is two issuers whose nodes don't hear each other, with one store
// for strict uses.
func strictPair(t *testing.T) (w *world, there *Issuer, other *node) {
	t.Helper()
	shared := &consumer{node: newNode(atEpoch), used: map[string]bool{}}
	w = newWorld(t, func(c *SignerConfig) { c.StrictRefresh = shared })
	other = newNode(func() time.Time { return w.now })
	c := w.issuer.config
	c.Checker, c.Revoker = other, other
	return w, must(NewIssuer(c)), other
}

// Of two nodes one answers a refresh token; the other does once it has heard,
// with the same tokens.
func TestStrictRefreshHasOneAnswer(t *testing.T) {
	w, there, other := strictPair(t)
	p := w.login(t, LoginOptions{})
	first := must(w.issuer.Refresh(t.Context(), p.RefreshToken))
	_, err := there.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrUndecided)
	if Status(err) != 503 {
		t.Errorf("status %d: a client would throw its token away", Status(err))
	}
	_, err = there.LogoutOthers(t.Context(), p.RefreshToken)
	wantError(t, err, ErrUndecided)
	for key, r := range w.node.records {
		other.records[key] = r
	}
	w.retry(t, there, p, first)
	w.refresh(t, first)
	w.now = w.now.Add(time.Minute)
	_, err = w.issuer.Refresh(t.Context(), p.RefreshToken) // and reuse is still reuse
	wantError(t, err, ErrReused)
}

func TestStrictRefreshRacesOnTwoNodes(t *testing.T) {
	w, there, _ := strictPair(t)
	for range 20 {
		p := w.login(t, LoginOptions{})
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for k, i := range []*Issuer{w.issuer, there} {
			wg.Go(func() { _, errs[k] = i.Refresh(t.Context(), p.RefreshToken) })
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), ErrUndecided) {
			t.Fatalf("one must answer: %v, %v", errs[0], errs[1])
		}
	}
}

// What was claimed and could not be used up can be tried again here.
func TestStrictRefreshAfterAFailedRevocation(t *testing.T) {
	w, _, _ := strictPair(t)
	p := w.login(t, LoginOptions{})
	w.node.fail = errors.New("disk")
	if _, err := w.issuer.Refresh(t.Context(), p.RefreshToken); err == nil {
		t.Fatal("refreshed without a disk")
	}
	w.node.fail = nil
	must(w.issuer.Refresh(t.Context(), p.RefreshToken))
	if len(w.issuer.claimed) != 0 {
		t.Errorf("%d claims are remembered", len(w.issuer.claimed))
	}
}

// Without a quorum nobody refreshes, and nothing is used up.
func TestStrictRefreshFailsClosed(t *testing.T) {
	down := &consumer{node: newNode(atEpoch), used: map[string]bool{}, fail: rescind.ErrUndecided}
	w := newWorld(t, func(c *SignerConfig) { c.StrictRefresh = down })
	p := w.login(t, LoginOptions{})
	_, err := w.issuer.Refresh(t.Context(), p.RefreshToken)
	wantError(t, err, ErrUndecided)
	down.fail = nil
	must(w.issuer.Refresh(t.Context(), p.RefreshToken))
}

// hangingUp cancels the caller's context right after a claim, as a client does
// that hangs up.
type hangingUp struct {
	*consumer
	hangUp context.CancelFunc
}

func (h hangingUp) Consume(ctx context.Context, t rescind.Token, m rescind.Mode) error {
	defer h.hangUp()
	return h.consumer.Consume(ctx, t, m)
}

// revokesAlive is a node that refuses to work for a caller who has gone.
type revokesAlive struct{ *node }

func (n revokesAlive) Revoke(ctx context.Context, r rescind.Revocation, a rescind.Ack) (rescind.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return rescind.Receipt{}, err
	}
	return n.node.Revoke(ctx, r, a)
}

// A client that hangs up in the middle has used its token up, and gets what it
// was used up for when it comes back.
func TestStrictRefreshOutlivesItsClient(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	store := &consumer{node: newNode(atEpoch), used: map[string]bool{}}
	w := newWorld(t, func(c *SignerConfig) {
		c.StrictRefresh, c.Revoker = hangingUp{store, hangUp}, revokesAlive{c.Revoker.(*node)}
	})
	p := w.login(t, LoginOptions{})
	first := must(w.issuer.Refresh(ctx, p.RefreshToken))
	w.retry(t, w.issuer, p, first)
	if _, err := w.issuer.Refresh(ctx, first.RefreshToken); !errors.Is(err, context.Canceled) {
		t.Errorf("a refresh for a client that has gone begins: %v", err)
	}
}

// A token that another node has claimed and never used up is not retried for
// ever: its user must sign in again.
func TestStrictRefreshOfANodeThatDied(t *testing.T) {
	w, there, _ := strictPair(t)
	p := w.login(t, LoginOptions{})
	w.node.fail = errors.New("power")
	if _, err := w.issuer.Refresh(t.Context(), p.RefreshToken); err == nil {
		t.Fatal("refreshed without a node")
	}
	for _, want := range []error{ErrUndecided, ErrUndecided, ErrRevoked} {
		_, err := there.Refresh(t.Context(), p.RefreshToken)
		wantError(t, err, want)
		w.now = w.now.Add((DefaultRetryGrace+rescind.MaxClockSkew)/2 + time.Second)
	}
}

// What is remembered of claims ends with the tokens.
func TestStrictRefreshForgetsClaims(t *testing.T) {
	w, there, _ := strictPair(t)
	for range 3 * sweepClaims {
		p := w.login(t, LoginOptions{})
		w.node.fail = errors.New("disk")
		_, _ = w.issuer.Refresh(t.Context(), p.RefreshToken)
		w.node.fail = nil
		_, _ = there.Refresh(t.Context(), p.RefreshToken)
		w.now = w.now.Add(w.issuer.config.RefreshLifetime / 10)
	}
	if a, b := len(w.issuer.claimed), len(there.contested); a > 2*sweepClaims || b > 2*sweepClaims || b == 0 {
		t.Errorf("%d claims and %d contested ones are remembered", a, b)
	}
}
