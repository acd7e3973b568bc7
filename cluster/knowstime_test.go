package cluster

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"rescind"
)

// TestClockInDoubt: a node whose clock jumps by a day knows within moments that it does
// not know the time, and says valid to nothing; what it knows to be revoked stays
// revoked. Once the clock is right it goes on. The others never doubt theirs.
func TestClockInDoubt(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	r := newRigWith(t, 3, true, false, func(c *Config) {
		if c.Name == "n2" {
			c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		}
	})
	if _, err := r.nodes[0].Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "gone"}}, rescind.AckAll); err != nil {
		t.Fatal(err)
	}
	n := r.nodes[2]
	if !n.KnowsTime() || n.Check(tokenOf("x")) != rescind.Valid {
		t.Fatal("a clock that agrees is doubted")
	}
	for _, by := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		ahead.Store(int64(by))
		if n.KnowsTime() {
			t.Errorf("%v: right after the jump the clock is relied upon", by)
		}
		await(t, "doubt", func() bool {
			return n.Check(tokenOf("x")) == rescind.Unknown && !n.Status().Ready && Has(n.Status().Reasons, ReasonClockOff)
		})
		throughout(t, time.Second, func() {
			if n.KnowsTime() || n.Check(tokenOf("x")) != rescind.Unknown || n.Check(tokenOf("gone")) != rescind.Revoked {
				t.Fatalf("%v: the clock is relied upon, or what is revoked is not", by)
			}
			if !r.nodes[0].KnowsTime() || r.nodes[0].Check(tokenOf("x")) != rescind.Valid {
				t.Fatalf("%v: one of two clocks that agree is doubted", by)
			}
		})
		if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: iss, ID: "y"}}, rescind.AckLocal); !errors.Is(err, rescind.ErrNotReady) {
			t.Errorf("%v: a revocation is accepted: %v", by, err)
		}
		ahead.Store(0)
		await(t, "trust", func() bool { return n.KnowsTime() && n.Check(tokenOf("x")) == rescind.Valid && n.Status().Ready })
	}
}
