package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"rescind"
)

func revocationOf(scope rescind.Scope, issuer, id string) rescind.Revocation {
	return rescind.Revocation{Key: rescind.Key{Scope: scope, Issuer: issuer, ID: id}}
}

// TestAFullNodeTakesTheBrake: whoever fills a node keeps no operator from revoking
// the key that it is done with, its issuer, or anybody's session; and a node that
// is full takes what others accepted.
func TestAFullNodeTakesTheBrake(t *testing.T) {
	r := newRigWith(t, 2, false, true, func(c *Config) { c.MaxRevocations = 3 })
	full := func(id string) {
		t.Helper()
		if _, err := r.nodes[0].Revoke(t.Context(), revocationOf(rescind.ScopeJTI, iss, id), rescind.AckLocal); !errors.Is(err, rescind.ErrFull) {
			t.Fatalf("a full node: %v", err)
		}
	}
	for i := range 3 {
		r.revoke(0, fmt.Sprint("stranger", i), rescind.AckAll)
	}
	full("one more")
	for _, rev := range []rescind.Revocation{
		revocationOf(rescind.ScopeKID, iss, "leaked"), revocationOf(rescind.ScopeIss, "https://rogue.example", ""), revocationOf(rescind.ScopeClientID, iss, "app"),
	} {
		if _, err := r.nodes[0].Revoke(t.Context(), rev, rescind.AckAll); err != nil {
			t.Errorf("%v at a full node: %v", rev.Scope, err)
		}
	}
	admin := rescind.AsAdministrator(t.Context())
	if _, err := r.nodes[0].Revoke(admin, revocationOf(rescind.ScopeSID, iss, "session"), rescind.AckAll); err != nil {
		t.Errorf("an administrator at a full node: %v", err)
	}
	full("and another")
	for i, n := range r.nodes { // the other one is full, too
		for name, token := range map[string]rescind.Token{
			"key": {Issuer: iss, ID: "x", KeyID: "leaked"}, "issuer": {Issuer: "https://rogue.example", ID: "x"},
			"client": {Issuer: iss, ID: "x", ClientID: "app"}, "session": {Issuer: iss, ID: "x", Session: "session"},
		} {
			if v := n.Check(token); v != rescind.Revoked {
				t.Errorf("node %d says %v of a token of the %s", i, v, name)
			}
		}
	}
}

// TestOneIssuerTakesItsShareOnly: what one issuer's tokens make a node accept leaves
// room for the others.
func TestOneIssuerTakesItsShareOnly(t *testing.T) {
	n := alone(t, func(c *Config) { c.MaxRevocations, c.IssuerShare = 10, 30 })
	revoke := func(issuer, id string) error {
		_, err := n.Revoke(t.Context(), revocationOf(rescind.ScopeSID, issuer, id), rescind.AckLocal)
		return err
	}
	for i := range 6 {
		err := revoke("https://rogue.example", fmt.Sprint(i))
		if refused := i >= 3; refused != errors.Is(err, rescind.ErrFull) || !refused && err != nil {
			t.Errorf("revocation %d of 3 that it may make: %v", i, err)
		}
	}
	if err := revoke("https://rogue.example", "0"); err != nil {
		t.Errorf("the same one again: %v", err)
	}
	for i := range 3 {
		if err := revoke(iss, fmt.Sprint(i)); err != nil {
			t.Errorf("another issuer: %v", err)
		}
	}
	if _, err := n.Revoke(t.Context(), revocationOf(rescind.ScopeKID, "https://rogue.example", "k"), rescind.AckLocal); err != nil {
		t.Errorf("its key: %v", err)
	}
}

// A share counts what still lives.
func TestAShareIsGivenBack(t *testing.T) {
	var s shares
	now := rescind.MillisOf(time.Now())
	s.count("i", now.Add(time.Hour))
	if s.room("i", now, 1) {
		t.Error("there is room beside the one that it may have")
	}
	if !s.room("i", now.Add(3*time.Hour), 1) || len(s.issuer["i"].byHour) != 0 {
		t.Error("what has expired still counts")
	}
	for i := range 2 * maxShares {
		s.count(fmt.Sprint(i), now)
	}
	if len(s.issuer) > maxShares {
		t.Errorf("%d issuers are counted", len(s.issuer))
	}
}

// TestTheSameAgainIsNoNewRecord: whoever revokes one token or session over and over
// costs no write, and gets the receipt of the first time, as long as that says
// enough.
func TestTheSameAgainIsNoNewRecord(t *testing.T) {
	r := newRig(t, 3, false, true)
	n := r.nodes[0]
	for _, rev := range []rescind.Revocation{revocationOf(rescind.ScopeJTI, iss, "token"), revocationOf(rescind.ScopeSID, iss, "session")} {
		first, err := n.Revoke(t.Context(), rev, rescind.AckAll)
		if err != nil {
			t.Fatal(err)
		}
		for _, ack := range []rescind.Ack{rescind.AckLocal, rescind.AckMajority, rescind.AckAll, 2} {
			for range 100 {
				again, err := n.Revoke(t.Context(), rev, ack)
				if err != nil || again.Version != first.Version || len(again.Missing) > 0 || again.ExpiresAt != first.ExpiresAt {
					t.Fatalf("%v: %+v after %+v, %v", ack, again, first, err)
				}
			}
		}
	}
	// What fewer hold than are asked for now is made durable anew.
	rev := revocationOf(rescind.ScopeJTI, iss, "other")
	first, err := n.Revoke(t.Context(), rev, rescind.AckLocal)
	if err != nil {
		t.Fatal(err)
	}
	again, err := n.Revoke(t.Context(), rev, rescind.AckAll)
	if err != nil || len(again.Acknowledged) != 2 {
		t.Errorf("%+v after %+v, %v", again, first, err)
	}
	// What reaches further is another record.
	rev.ExpiresAt = time.Now().Add(29 * 24 * time.Hour)
	rev.ID = "short"
	if first, err = n.Revoke(t.Context(), rev, rescind.AckLocal); err != nil {
		t.Fatal(err)
	}
	rev.ExpiresAt = rev.ExpiresAt.Add(time.Hour)
	if again, err = n.Revoke(t.Context(), rev, rescind.AckLocal); err != nil || again.Version == first.Version || again.ExpiresAt <= first.ExpiresAt {
		t.Errorf("%+v after %+v, %v", again, first, err)
	}
}

func TestRepeatsAreBounded(t *testing.T) {
	var r repeats
	for i := range uint64(2 * maxRepeats) {
		r.remember(rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, i, i)}, &waiter{})
	}
	if len(r.known) != maxRepeats || len(r.latest) != maxRepeats {
		t.Errorf("%d and %d are remembered", len(r.known), len(r.latest))
	}
}
