package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
)

// verifyKey is a key that has passed every check and may verify signatures.
type verifyKey struct {
	kid   string // "" where the set names none
	alg   string // the only algorithm it may be used with; "" means every one that fits
	kty   string
	curve string
	key   any // as the jwt.SigningMethod of kty wants it
}

// fits reports whether k may verify signatures of the algorithm called name.
func (k *verifyKey) fits(name string, a *algorithm) bool {
	return k.kty == a.kty && k.curve == a.curve && (k.alg == "" || k.alg == name)
}

// keySet is an immutable set of keys of one issuer.
type keySet struct {
	keys  []*verifyKey
	byKID map[string]*verifyKey // only keys that have one
}

func newKeySet(keys []*verifyKey) (*keySet, error) {
	s := &keySet{keys: keys, byKID: make(map[string]*verifyKey, len(keys))}
	for _, k := range keys {
		if k.kid == "" {
			continue
		}
		if s.byKID[k.kid] != nil {
			return nil, errors.New("two keys have the same kid")
		}
		s.byKID[k.kid] = k
	}
	return s, nil
}

// equal reports whether s and o hold the same keys in the same order.
func (s *keySet) equal(o *keySet) bool {
	return slices.EqualFunc(s.keys, o.keys, func(a, b *verifyKey) bool {
		key, ok := a.key.(interface{ Equal(crypto.PublicKey) bool })
		return ok && a.kid == b.kid && a.alg == b.alg && key.Equal(b.key)
	})
}

// find returns the key for a token with this kid and algorithm, or nil and the
// reason. A token that names a kid gets the key with exactly that kid; a key
// without kid is not it, or revoking a kid would protect nobody. A token that
// names none gets the one key that fits its algorithm, if there is exactly one.
func (s *keySet) find(kid, name string, a *algorithm) (*verifyKey, error) {
	if kid != "" {
		k := s.byKID[kid]
		switch {
		case k == nil:
			return nil, ErrUnknownKey
		case !k.fits(name, a):
			return nil, ErrAlgorithm
		}
		return k, nil
	}
	var found *verifyKey
	for _, k := range s.keys {
		if !k.fits(name, a) {
			continue
		}
		if found != nil {
			return nil, ErrUnknownKey
		}
		found = k
	}
	if found == nil {
		return nil, ErrUnknownKey
	}
	return found, nil
}

const (
	minRSABits = 2048

	// What a signature costs to check, a forged one included, goes with the square of
	// the bits and with the bits of the exponent: 16,384 bits and an exponent of 31 cost
	// 47 times what 2048 bits and the usual one do.
	maxRSABits       = 8192
	manyRSABits      = 4096
	maxLargeExponent = 65537 // of keys with more than manyRSABits
)

// checkPublicKey refuses keys that are too weak to trust whatever they sign.
func checkPublicKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return checkRSA(k)
	case *ecdsa.PublicKey: // jwkset has checked the point
		return nil
	case ed25519.PublicKey:
		return checkEd25519(k)
	default:
		return fmt.Errorf("a %T can't verify signatures", key)
	}
}

func checkRSA(k *rsa.PublicKey) error {
	switch bits := k.N.BitLen(); {
	case bits < minRSABits:
		return fmt.Errorf("the RSA key has %d bits; at least %d are needed", bits, minRSABits)
	case bits > maxRSABits:
		return fmt.Errorf("the RSA key has %d bits; at most %d are allowed", bits, maxRSABits)
	case bits > manyRSABits && k.E > maxLargeExponent:
		return fmt.Errorf("the RSA exponent of a key of %d bits is %d; beyond %d bits at most %d is allowed", bits, k.E, manyRSABits, maxLargeExponent)
	case k.N.Bit(0) == 0:
		return errors.New("the RSA modulus is even")
	case k.E < 3 || k.E%2 == 0:
		return errors.New("the RSA exponent must be odd and at least 3")
	case hasROCAFingerprint(k.N):
		return errors.New("the RSA key was made by a generator with the ROCA weakness (CVE-2017-15361); make a new one")
	}
	return nil
}
