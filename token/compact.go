package token

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"rescind"
	"rescind/token/internal/strict"
)

// compact is a token in JWS Compact Serialization (RFC 7515 section 7.1), split
// and decoded.
type compact struct {
	signingInput string
	header       []byte // JSON, not yet parsed
	payload      []byte // JSON, not yet parsed
	signature    []byte
}

// splitCompact takes raw apart and refuses every form but the one canonical
// form of three non-empty base64url parts. Its cost is linear in the length,
// which it checks first.
func splitCompact(raw string, maxBytes int) (compact, error) {
	if len(raw) > maxBytes {
		return compact{}, refuse(ErrTooLarge, "size", "the token is longer than allowed")
	}
	if n := strings.Count(raw, "."); n != 2 {
		return compact{}, refuse(ErrMalformed, "form", wrongDots(n))
	}
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	c := compact{signingInput: raw[:last]}
	var ok [3]bool
	c.header, ok[0] = strict.DecodeSegment(raw[:first])
	c.payload, ok[1] = strict.DecodeSegment(raw[first+1 : last])
	c.signature, ok[2] = strict.DecodeSegment(raw[last+1:])
	if !ok[0] || !ok[1] || !ok[2] {
		return compact{}, refuse(ErrMalformed, "form", "a part is empty or not canonical base64url")
	}
	return c, nil
}

func wrongDots(n int) string {
	if n == 4 {
		return "encrypted tokens (JWE) are not accepted"
	}
	return "a token has exactly three parts"
}

// derivedID names a token that has no jti. The signature is left out: for ECDSA
// anybody can compute a second valid one.
func (c compact) derivedID() string {
	sum := sha256.Sum256([]byte(c.signingInput))
	return rescind.DerivedIDPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}
