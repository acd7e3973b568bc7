package token

import (
	"fmt"
	"slices"
	"time"

	"rescind"
)

// SignJWT returns claims, which are written as JSON, as a JWT of type typ, signed
// by the key that signs now (ES256). It is for statements that are no access
// tokens, such as answers to introspection (RFC 9701): a typ that a token may
// have is refused, and so no reader can take one for the other.
func (s *KeySet) SignJWT(typ string, claims any) (string, error) {
	if slices.Contains([]string{"", TypeJWT, TypeAccess, TypeRefresh}, normalType(typ)) {
		return "", fmt.Errorf("token: signing a statement: %.40q is the type of a token", typ)
	}
	key := s.signer(rescind.MillisOf(time.Now()))
	raw, err := key.sign(map[string]any{"alg": "ES256", "typ": typ, "kid": key.kid}, claims)
	if err != nil {
		return "", fmt.Errorf("token: signing a statement: %w", err)
	}
	return raw, nil
}
