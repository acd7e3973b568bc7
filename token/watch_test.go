package token

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rescind"
)

// watcher is the obvious Watcher.
type watcher struct {
	mu      sync.Mutex
	watches map[int]func()
	tokens  map[int]rescind.Token
	next    int
}

func (w *watcher) WatchToken(t rescind.Token, revoked func()) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watches == nil {
		w.watches, w.tokens = map[int]func(){}, map[int]rescind.Token{}
	}
	id := w.next
	w.next++
	w.watches[id], w.tokens[id] = revoked, t
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.watches, id)
	}
}

func (w *watcher) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.watches {
		f()
	}
}

func (w *watcher) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watches)
}

// TestMiddlewareEndsWithToken: a handler that waits for its context is told why it
// ended, and nothing is left behind.
func TestMiddlewareEndsWithToken(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*watcher, context.CancelFunc)
		want error
	}{
		"revoked":         {func(w *watcher, _ context.CancelFunc) { w.fire() }, ErrRevoked},
		"expired":         {func(*watcher, context.CancelFunc) {}, ErrExpired}, // in an hour and the leeway
		"the client goes": {func(_ *watcher, cancel context.CancelFunc) { cancel() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := new(watcher)
				v := newVerifier(t, nil, func(c *VerifierConfig) { c.Now = atEpoch }, hsIssuer())
				defer v.Close()
				var cause error
				h := Middleware(v, EndWithToken(w))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if _, ok := FromContext(r.Context()); !ok {
						t.Error("the context lacks the token")
					}
					<-r.Context().Done()
					cause = context.Cause(r.Context())
				}))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
				r.Header.Set("Authorization", "Bearer "+signHS(hsHeader, payload("")))
				began := time.Now()
				done := make(chan struct{})
				go func() { h.ServeHTTP(httptest.NewRecorder(), r); close(done) }()
				synctest.Wait()
				c.end(w, cancel)
				<-done
				if !errors.Is(cause, c.want) {
					t.Errorf("the cause is %v", cause)
				}
				if took := time.Since(began); (took == time.Hour+DefaultLeeway) != (c.want == ErrExpired) {
					t.Errorf("after %v", took)
				}
				if w.len() != 0 {
					t.Error("a watch is left")
				}
			})
		})
	}
}

// A token that can be revoked under a second name is watched under both.
func TestUntilRevokedWatchesEveryName(t *testing.T) {
	w := new(watcher)
	v := newVerifier(t, nil, nil, hsIssuer())
	verified, err := v.Verify(signHS(hsHeader, payload(`"client_id":"app","urn:rescind:client_session":true`)))
	if err != nil {
		t.Fatal(err)
	}
	_, stop := UntilRevoked(t.Context(), w, verified)
	if w.len() != 2 {
		t.Errorf("%d watches", w.len())
	}
	stop()
	if w.len() != 0 {
		t.Errorf("%d watches are left", w.len())
	}
}
