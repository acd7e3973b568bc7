package token

import (
	"testing"

	"rescind"
)

// A token can be revoked before it exists, by any name that it will have.
func TestAttackRevokeBeforeIssue(t *testing.T) {
	for scope, id := range map[rescind.Scope]string{
		rescind.ScopeJTI: "later", rescind.ScopeSID: "session", rescind.ScopeClientID: "app", rescind.ScopeKID: "k",
	} {
		n := newNode(atEpoch)
		n.revoke(t, rescind.Revocation{Key: rescind.Key{Scope: scope, Issuer: testIssuer, ID: id}})
		key := testECKey()
		v := newVerifier(t, n, nil, jwksIssuer(jwksOf(jwk(&key.PublicKey, "k", nil)), "ES256"))
		_, err := v.Verify(sign(t, "ES256", key, `{"alg":"ES256","kid":"k"}`, payload(`"jti":"later","sid":"session","client_id":"app"`)))
		wantError(t, err, ErrRevoked)
	}
}
