package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/internal/timing"
)

func TestStatusMeasures(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, true, true)
	const revoked = 20
	for i := range revoked {
		r.revoke(i%2, string(rune('a'+i)), rescind.AckAll)
	}
	st := r.nodes[0].Status()
	if st.Accepted[rescind.ScopeJTI] != revoked/2 || st.Accepted[rescind.ScopeSub] != 0 {
		t.Errorf("accepted %v", st.Accepted)
	}
	var each Histogram
	for _, m := range st.Members {
		if m.Window.Count() != revoked/2 || m.Window.Sum <= 0 {
			t.Errorf("window of %s: %d in %v", m.Name, m.Window.Count(), m.Window.Sum)
		}
		each = each.Plus(m.Window)
	}
	if each.Count() != st.Window.Count() || each.Sum != st.Window.Sum {
		t.Errorf("the windows of the peers hold %d, that of all %d", each.Count(), st.Window.Count())
	}
	if st.Store.Syncs.Count() == 0 || st.Store.Syncs.Sum <= 0 || st.Store.DiskBytes == 0 {
		t.Errorf("store %+v", st.Store)
	}
	await(t, "staleness seen", func() bool { return r.nodes[0].Status().StalenessSeen.Count() > 2 })
	for _, q := range st.Queues {
		if q.Limit == 0 || q.Length > q.Limit || q.Name == "" {
			t.Errorf("queue %+v", q)
		}
	}
}

func TestGapsAreTimed(t *testing.T) {
	const a, b = gossip.Origin(1), gossip.Origin(2)
	g, ended := gaps{}, timing.New([]time.Duration{time.Second})
	look := func(at time.Duration, behind ...uint64) {
		members := []gossip.Member{{Origin: a, Behind: behind[0]}}
		if len(behind) > 1 {
			members = append(members, gossip.Member{Origin: b, Behind: behind[1]})
		}
		g.look(at, members, ended)
	}
	look(time.Second, 0, 0)
	look(2*time.Second, 5, 0)
	look(3*time.Second, 1, 7)
	if ended.Snapshot().Count() != 0 {
		t.Error("a gap counts before it has ended")
	}
	look(4500*time.Millisecond, 0, 7)
	if s := ended.Snapshot(); s.Count() != 1 || s.Sum != 2500*time.Millisecond {
		t.Errorf("%+v", s)
	}
	look(5*time.Second, 0) // b is no longer listed
	look(6*time.Second, 0, 0)
	if s := ended.Snapshot(); s.Count() != 1 || len(g) != 0 {
		t.Errorf("the gap of a forgotten member counts: %+v", s)
	}
}

func TestWindowsAreForgottenAndBounded(t *testing.T) {
	var tracker ackTracker
	all := timing.New(windowBounds)
	tracker.meet(membersFrom(0, maxWindows+10))
	tracker.enter(newWaiter(time.Now(), rescind.AckLocal, nil), 1)
	for o := range gossip.Origin(maxWindows + 10) {
		tracker.acked(gossip.PeerAck{Origin: o + 1, Seq: 1}, all)
	}
	if got := len(tracker.windowsOf()); got != maxWindows {
		t.Errorf("%d windows", got)
	}
	if got := all.Snapshot().Count(); got != maxWindows+10 {
		t.Errorf("%d samples in all", got)
	}
	tracker.meet([]gossip.Member{{Origin: 3}})
	if w := tracker.windowsOf(); len(w) != 1 || w[3].Count() != 1 {
		t.Errorf("windows %v", w)
	}
}

func TestRefusedAndWhy(t *testing.T) {
	n := alone(t, func(c *Config) { c.MaxRevocations = 2 })
	revoke := func(id string) {
		n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: id}, ExpiresAt: time.Now().Add(time.Hour)}, rescind.AckLocal)
	}
	revoke("")
	revoke("a")
	use := oneTimeToken("b")
	mustConsume(t, n, use, rescind.Available)
	refuses(t, n, use, rescind.Available, rescind.ErrConsumed)
	refuses(t, n, oneTimeToken("c"), rescind.Strict, rescind.ErrStrictOff)
	revoke("d")
	refuses(t, n, oneTimeToken("e"), rescind.Available, rescind.ErrFull)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	revoke("f")
	got := n.refused()
	for name, count := range got.Revocations {
		if want := map[string]uint64{"invalid": 1, "full": 1, "closed": 1}[name]; count != want {
			t.Errorf("revocations refused as %s: %d, want %d", name, count, want)
		}
	}
	for name, count := range got.Uses {
		if want := map[string]uint64{"used": 1, "invalid": 1, "full": 1}[name]; count != want {
			t.Errorf("uses refused as %s: %d, want %d", name, count, want)
		}
	}
}

func TestReasonOfEveryError(t *testing.T) {
	for err, want := range map[error]reason{
		&rescind.InvalidError{}: reasonInvalid, rescind.ErrStrictOff: reasonInvalid, rescind.ErrConsumed: reasonUsed,
		rescind.ErrRevoked: reasonRevoked, rescind.ErrUndecided: reasonUndecided, rescind.ErrFull: reasonFull,
		rescind.ErrNotReady: reasonNotReady, rescind.ErrIsolated: reasonIsolated, rescind.ErrStale: reasonStale,
		rescind.ErrClosed: reasonClosed, context.DeadlineExceeded: reasonTimeout, context.Canceled: reasonTimeout,
		errors.New("disk"): reasonFailed,
	} {
		if got := reasonOf(err); got != want {
			t.Errorf("%v counts as %s, want %s", err, reasonNames[got], reasonNames[want])
		}
	}
}
