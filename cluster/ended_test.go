package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"rescind"
	"rescind/token"
)

// TestOneTerminalState: a node that was closed, or has failed, no longer learns what
// is revoked. It never says "valid", says why, and everybody who watches is told.
func TestOneTerminalState(t *testing.T) {
	broken := errors.New("the disk is gone")
	for name, end := range map[string]struct {
		by    func(*Node)
		cause error
		kind  ReasonKind
	}{
		"closed": {func(n *Node) { n.Close() }, rescind.ErrClosed, ReasonClosed},
		"failed": {func(n *Node) { n.fail(broken) }, broken, ReasonFailed},
		"both":   {func(n *Node) { n.fail(broken); n.Close() }, broken, ReasonFailed},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := Open(t.Context(), Config{Name: "a", DataDir: t.TempDir(), Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "out"}}, rescind.AckLocal); err != nil {
				t.Fatal(err)
			}
			ended := make(chan Event, 1)
			events := n.Watch(t.Context())
			go func() {
				var last Event
				for e := range events {
					last = e
				}
				ended <- last
			}()
			verified := &token.Verified{Token: tokenOf("in")}
			verified.Token.ExpiresAt = rescind.MillisOf(time.Now().Add(time.Hour))
			session, stop := token.UntilRevoked(t.Context(), n, verified)
			defer stop()
			waits := make(chan error, 1)
			go func() { waits <- n.WaitFor(t.Context(), "00000000000000ff.1.1") }()

			end.by(n)

			if got := n.Check(tokenOf("in")); got != rescind.Unknown {
				t.Errorf("a token is %v", got)
			}
			if got := n.Check(tokenOf("out")); got != rescind.Revoked {
				t.Errorf("a revoked token is %v", got)
			}
			if st := n.Status(); st.Ready || len(st.Reasons) != 1 || st.Reasons[0].Kind != end.kind || st.Staleness.Known {
				t.Errorf("ready %t, %v, %+v", st.Ready, st.Reasons, st.Staleness)
			}
			if n.FreshWithin(time.Hour) || n.CheckWithin(tokenOf("in"), time.Hour) == rescind.Valid {
				t.Error("it claims to be fresh")
			}
			select {
			case e := <-ended:
				if e.Kind != EventEnded || !errors.Is(e.Cause, end.cause) {
					t.Errorf("the last event is %+v", e)
				}
			case <-time.After(deadline):
				t.Error("Watch does not end")
			}
			select {
			case <-session.Done():
				if err := context.Cause(session); !errors.Is(err, token.ErrNotReady) {
					t.Errorf("the session's context ended for %v", err)
				}
			case <-time.After(deadline):
				t.Error("a session's context does not end")
			}
			select {
			case err := <-waits:
				if !errors.Is(err, end.cause) && !errors.Is(err, rescind.ErrBehind) {
					t.Errorf("who waits for a version gets %v", err)
				}
			case <-time.After(deadline):
				t.Error("WaitFor does not end")
			}
			if cause := context.Cause(n.Alive()); !errors.Is(cause, end.cause) {
				t.Errorf("alive ended for %v", cause)
			}
			n.terminate(errors.New("a later cause"))
			l := &loop{Node: n}
			l.becomeReady()
			if n.ready.Load() || !errors.Is(context.Cause(n.Alive()), end.cause) {
				t.Error("it comes back to life, or forgets why it ended")
			}
			for e := range n.Watch(t.Context()) { // one that begins afterwards ends at once
				if e.Kind != EventEnded {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// TestWatchEndsWhereNothingWasLoaded: closing a node whose store never answered ends
// whoever watches.
func TestWatchEndsWhereNothingWasLoaded(t *testing.T) {
	n, err := Start(Config{Name: "a", DataDir: t.TempDir(), NATS: &NATS{URL: "nats://127.0.0.1:1"}, SharedLog: &SharedLog{DangerouslyAssumeSync: true}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	events := n.Watch(context.Background())
	go func() {
		defer close(done)
		for range events {
		}
	}()
	n.Close()
	select {
	case <-done:
	case <-time.After(deadline):
		t.Error("Watch hangs")
	}
}
