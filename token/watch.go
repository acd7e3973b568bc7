package token

import (
	"context"
	"net/http"
	"time"

	"rescind"
)

// Watcher tells when a token is revoked; *cluster.Node is one.
type Watcher interface {
	// WatchToken calls revoked, once, when a revocation that covers the token
	// becomes known, at once if one is known already. stop ends the watch. It
	// must not wait for revoked.
	WatchToken(t rescind.Token, revoked func()) (stop func())
}

// AliveWatcher is a Watcher that may cease to know; *cluster.Node is one.
type AliveWatcher interface {
	Watcher

	// Alive returns a context that ends when the Watcher learns of no more
	// revocations.
	Alive() context.Context
}

// EndWithToken cancels a request's context as soon as its token is revoked or
// expires: for connections that outlive the check at their beginning, such as
// WebSockets and event streams. The context's cause is then an *Error that
// matches ErrRevoked or ErrExpired, or ErrNotReady where w is an AliveWatcher that
// was closed or has failed. Handlers must heed the context; one that has
// taken over the connection must close it. w is usually the Checker.
func EndWithToken(w Watcher) Option {
	return func(m *middleware) { m.watcher = w }
}

// UntilRevoked returns a context that ends with ctx, or as soon as w knows that v
// is revoked, or when v expires, the verifier's leeway included; [context.Cause] tells which, as an *Error that
// matches ErrRevoked or ErrExpired, or ErrNotReady where w is a ClockChecker that doubts the clock by then,
// or an AliveWatcher that no longer knows. stop releases what it holds, some 1 KiB, and
// must be called. Use it where EndWithToken does not fit: for a token that arrives
// within a connection.
func UntilRevoked(ctx context.Context, w Watcher, v *Verified) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	end := func() { cancel(errRevoked) }
	over := func() bool { return true }
	if a, ok := w.(AliveWatcher); ok {
		over = context.AfterFunc(a.Alive(), func() { cancel(errOver) })
	}
	stops := []func(){w.WatchToken(v.Token, end)}
	names, n := v.aliases()
	for _, name := range names[:n] {
		stops = append(stops, w.WatchToken(name, end))
	}
	expiry := time.AfterFunc(v.Token.ExpiresAt.Time().Add(v.leeway).Sub(v.at), func() { cancel(expiredBy(w)) })
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		expiry.Stop()
		over()
		cancel(nil)
	}
}

// expiredBy is why a token's time is over, unless w finds that nobody knows the time.
func expiredBy(w Watcher) error {
	if c, ok := w.(Checker); ok && !knowsTime(c) {
		return errClock
	}
	return errExpired
}

var (
	errRevoked = refuse(ErrRevoked, "revocation", "the token has been revoked")
	errOver    = refuse(ErrNotReady, "revocation", "this node no longer learns which tokens are revoked")
	errExpired = refuse(ErrExpired, "time", "the token has expired")
)

// serveUntilRevoked serves r until its token is.
func (m *middleware) serveUntilRevoked(w http.ResponseWriter, r *http.Request, v *Verified, next http.Handler) {
	ctx, stop := UntilRevoked(NewContext(r.Context(), v), m.watcher, v)
	defer stop()
	next.ServeHTTP(w, r.WithContext(ctx))
}
