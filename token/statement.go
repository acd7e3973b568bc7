package token

import (
	"fmt"
	"slices"
	"time"

	"rescind"
)

// SignJWT returns claims, which are written as JSON, as a JWT of type typ, signed
// by the key that signs now (ES256). It is for statements that are no access
// tokens, such as answers to introspection (RFC 9701): a typ that tokens have here
// is refused, so that no reader takes one for the other.
func (s *KeySet) SignJWT(typ string, claims any) (string, error) {
	if slices.Contains([]string{"", TypeJWT, TypeAccess, TypeRefresh, TypeOneTime, TypeLogout}, normalType(typ)) {
		return "", fmt.Errorf("token: signing a statement: %.40q is the type of a token", typ)
	}
	key := s.signer(rescind.MillisOf(time.Now()))
	raw, err := key.sign(map[string]any{"alg": "ES256", "typ": typ, "kid": key.kid}, claims)
	if err != nil {
		return "", fmt.Errorf("token: signing a statement: %w", err)
	}
	return raw, nil
}

// openStatement returns the claims of a statement of type typ that t has signed,
// by the rules for the form and the keys of a token.
func (t *trusted) openStatement(raw, typ string, maxBytes int) ([]byte, error) {
	c, err := splitCompact(raw, maxBytes)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(c.header, DefaultMaxDepth)
	if err != nil {
		return nil, err
	}
	if h.typ != typ {
		return nil, refuse(ErrType, "type", "the statement is of another type than is expected")
	}
	alg := t.allowed[h.alg]
	if alg == nil {
		return nil, refuse(ErrAlgorithm, "algorithm", "the algorithm is not allowed for the issuer")
	}
	key, _, err := t.key(h, alg, 0)
	if err != nil {
		return nil, err
	}
	if alg.Method.Verify(c.signingInput, c.signature, key.Public) != nil {
		return nil, refuse(ErrSignature, "signature", "the signature does not match")
	}
	return c.payload, nil
}
