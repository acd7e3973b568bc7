package token

import (
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
