package jwks

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"rescind/token/internal/strict"
)

const (
	MaxBytes = 512 << 10
	MaxKeys  = 256
)

// ErrForeign marks a key that is not for verifying signatures here: meant for
// encryption, or of a type or algorithm that is not supported.
var ErrForeign = errors.New("not a key for verifying supported signatures")

// Parse reads a JWK Set (RFC 7517 section 5) of public keys. It refuses the
// whole set, with the reason, if any key is dangerous: private, symmetric, weak
// or contradictory, or if two share a kid. Keys that are merely for something
// else are skipped if lenient, because issuers publish them beside the others;
// in a file that an operator wrote they are a mistake. No text of the set is
// repeated in an error, since it may hold a private key.
func Parse(raw []byte, lenient bool) (*Set, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("the key set is larger than %d bytes", MaxBytes)
	}
	entries, err := Split(raw)
	if err != nil {
		return nil, err
	}
	if len(entries) > MaxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", MaxKeys)
	}
	var keys []*Key
	for i, entry := range entries {
		k, err := parseJWK(entry)
		if lenient && errors.Is(err, ErrForeign) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key for verifying signatures")
	}
	return NewSet(keys)
}

// parseJWK checks one key. What makes a set dangerous comes before what makes a
// key foreign, so that nothing dangerous is skipped silently.
func parseJWK(raw jsontext.Value) (*Key, error) {
	m, err := readJWK(raw)
	if err != nil {
		return nil, err
	}
	if err := checkPublicOnly(m); err != nil {
		return nil, err
	}
	if err := checkPurpose(m); err != nil {
		return nil, err
	}
	if err := checkMembers(m); err != nil {
		return nil, err
	}
	public, err := m.Public()
	if err != nil {
		return nil, err
	}
	if err := CheckPublic(public); err != nil {
		return nil, err
	}
	return &Key{KeyID: m.KeyID, Algorithm: m.Algorithm, Type: m.Type, Curve: m.Curve, Public: public}, nil
}

// checkPublicOnly refuses secrets. The halves of key pairs have been found by
// readJWK.
func checkPublicOnly(m JWK) error {
	if m.Type == TypeSymmetric || m.K != "" {
		return errors.New("a symmetric key has no place in a set of public keys")
	}
	return nil
}

// checkPurpose finds keys that are for something else: use, key_ops (RFC 7517
// sections 4.2 and 4.3), kty, crv and alg.
func checkPurpose(m JWK) error {
	a, known := Algorithms[m.Algorithm]
	switch {
	case m.Use != "" && m.Use != UseSignature:
		return fmt.Errorf("%w: its use is not sig", ErrForeign)
	case len(m.Operations) > 0 && !slices.Contains(m.Operations, "verify"):
		return fmt.Errorf("%w: its key_ops lack verify", ErrForeign)
	case slices.ContainsFunc(m.Operations, func(op string) bool { return slices.Contains(otherOps, op) }):
		return fmt.Errorf("%w: its key_ops are for encryption, too", ErrForeign)
	case m.Type == "":
		return errors.New("the key has no kty")
	case !supportedShape(m.Type, m.Curve):
		return fmt.Errorf("%w: its kty or crv is not supported", ErrForeign)
	case m.Algorithm != "" && !known:
		return fmt.Errorf("%w: its alg is not supported", ErrForeign)
	case known && (a.Type != m.Type || a.curve != m.Curve):
		return errors.New("its alg contradicts its kty or crv")
	}
	return nil
}

// supportedShape reports whether any algorithm takes keys of this type and
// curve.
func supportedShape(kty, curve string) bool {
	for _, a := range Algorithms {
		if a.Type == kty && a.curve == curve {
			return true
		}
	}
	return false
}

// checkMembers refuses what decoders let pass: padding and line breaks in
// base64url, an exponent that overflows, members of another key type.
func checkMembers(m JWK) error {
	if len(m.KeyID) > strict.MaxKeyIDLen || strings.IndexByte(m.KeyID, 0) >= 0 {
		return fmt.Errorf("its kid is longer than %d bytes or contains NUL", strict.MaxKeyIDLen)
	}
	if m.Type == TypeRSA && m.X+m.Y != "" || m.Type != TypeRSA && m.N+m.E != "" {
		return errors.New("it has members of another kty")
	}
	for _, s := range []string{m.N, m.E, m.X, m.Y} {
		if _, ok := strict.DecodeSegment(s); s != "" && !ok {
			return errors.New("a member is not canonical base64url")
		}
	}
	if err := checkLengths(m); err != nil {
		return err
	}
	if e, _ := strict.DecodeSegment(m.E); len(e) > 4 {
		return errors.New("the RSA exponent is larger than 32 bits")
	}
	if base64.RawURLEncoding.DecodedLen(len(m.N)) > 2*maxRSABits/8 {
		return fmt.Errorf("the RSA key has more than %d bits", maxRSABits)
	}
	return nil
}
