package cluster

import (
	"testing"
	"time"

	"rescind"
)

// TestExplainAgreesWithCheck revokes each claim in turn, on a node of its own:
// Explain must blame exactly that one wherever Check refuses.
func TestExplainAgreesWithCheck(t *testing.T) {
	token := rescind.Token{
		Issuer: iss, ID: "t", Session: "s", Subject: "u", ClientID: "c", KeyID: "k",
		IssuedAt: rescind.MillisOf(time.Now().Add(-time.Minute)), ExpiresAt: rescind.MillisOf(time.Now().Add(time.Hour)),
	}
	for _, scope := range rescind.Scopes() {
		n := newRig(t, 1, false, false).nodes[0]
		rev := rescind.Revocation{Key: rescind.Key{Scope: scope, Issuer: iss, ID: token.Value(scope)}}
		if _, err := n.Revoke(t.Context(), rev, rescind.AckLocal); err != nil {
			t.Fatal(err)
		}
		newer := token
		newer.IssuedAt = rescind.MillisOf(time.Now().Add(time.Minute))
		for _, asked := range []rescind.Token{token, newer, {Issuer: iss, ID: "another"}} {
			covered := false
			for _, f := range n.Explain(asked) {
				covered = covered || f.Covers
				if f.Covers && f.Scope != scope {
					t.Errorf("%v is revoked, and it blames %v", scope, f.Scope)
				}
				if held := f.Scope == scope && asked.Value(scope) == token.Value(scope); f.Held != held {
					t.Errorf("%v is revoked, and a record of %v is held: %v", scope, f.Scope, f.Held)
				}
				if (f.Digest == rescind.Digest{}) != (asked.Value(f.Scope) == "") {
					t.Errorf("%v of %+v has the digest %v", f.Scope, asked, f.Digest)
				}
			}
			if want := n.Check(asked) == rescind.Revoked; covered != want {
				t.Errorf("%v: Check refuses: %v, Explain covers: %v", scope, want, covered)
			}
		}
	}
}
