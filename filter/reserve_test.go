package filter

import (
	"errors"
	"fmt"
	"testing"

	"rescind"
)

// scoped returns a record of its own in a scope.
func scoped(s *Set, scope rescind.Scope, id string) rescind.Record {
	return rescind.Record{
		Digest:       s.Digest(rescind.Key{Scope: scope, Issuer: "i", ID: id}),
		IssuedBefore: rescind.Ever, ExpiresAt: narrowFrom + narrowSpan - 1,
	}
}

// TestAFullSetKeepsTheBrake: whoever fills the set, by number or by memory, keeps
// nobody from revoking a key, an issuer or a client, and administrators have a
// reserve of their own; both are bounded, and records of other nodes are never
// refused.
func TestAFullSetKeepsTheBrake(t *testing.T) {
	for name, limit := range map[string]func(*Set){
		"number": func(s *Set) { s.SetLimits(5000, 0) },
		"memory": func(s *Set) { s.SetLimits(0, 1<<20) },
		"both":   func(s *Set) { s.SetLimits(5000, 1<<18) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSet(0)
			limit(s)
			fill := func(scope rescind.Scope, as string, add func(rescind.Record) (rescind.Record, bool, error)) (n int) {
				for {
					_, _, err := add(scoped(s, scope, fmt.Sprint(as, n)))
					if errors.Is(err, rescind.ErrFull) {
						return n
					}
					if n++; n > 1<<20 {
						t.Fatalf("%s: there is no limit", as)
					}
				}
			}
			if n := fill(rescind.ScopeJTI, "stranger", s.Add); n == 0 {
				t.Fatal("an empty set is full")
			}
			for _, scope := range []rescind.Scope{rescind.ScopeKID, rescind.ScopeIss, rescind.ScopeClientID} {
				id := "brake"
				r := scoped(s, scope, id)
				if scope == rescind.ScopeIss { // for ever it would withdraw what fills the set
					r.Digest, r.IssuedBefore = s.Digest(rescind.Key{Scope: scope, Issuer: "i"}), narrowFrom
				}
				if _, changed, err := s.Add(r); !changed || err != nil {
					t.Errorf("%v in a full set: %v", scope, err)
				}
			}
			if n := fill(rescind.ScopeSID, "administrator", s.AddByAdministrator); n == 0 || n > reserve(5000) {
				t.Errorf("administrators add %d to a full set", n)
			}
			if n := fill(rescind.ScopeKID, "brakes", s.Add); n < reserve(5000)-100 || n > reserve(5000) {
				t.Errorf("%d brakes more", n)
			}
			if _, changed := s.Merge(scoped(s, rescind.ScopeJTI, "of another node")); !changed {
				t.Error("what another node accepted is refused")
			}
			if n := fill(rescind.ScopeSub, "stranger again", s.Add); n != 0 {
				t.Errorf("%d more of strangers", n)
			}
		})
	}
}
