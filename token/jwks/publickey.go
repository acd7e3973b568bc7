package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"rescind/internal/problem"
)

// Key is a key that has passed every check and may verify signatures.
type Key struct {
	KeyID     string // "" where the set names none
	Algorithm string // the only algorithm it may be used with; "" means every one that fits
	Type      string
	Curve     string
	Public    any // as the jwt.SigningMethod of kty wants it
}

// NewSecretKey returns a key of HMAC for every algorithm that its issuer allows.
func NewSecretKey(secret []byte) *Key { return &Key{Type: "oct", Public: secret} }

// Fits reports whether k may verify signatures of the algorithm called name.
func (k *Key) Fits(name string, a *Algorithm) bool {
	return k.Type == a.Type && k.Curve == a.curve && (k.Algorithm == "" || k.Algorithm == name)
}

// Set is an immutable set of keys of one issuer.
type Set struct {
	Keys  []*Key
	named map[string]*Key // by kid, where they have one
}

func NewSet(keys []*Key) (*Set, error) {
	s := &Set{Keys: keys, named: make(map[string]*Key, len(keys))}
	for _, k := range keys {
		if k.KeyID == "" {
			continue
		}
		if s.named[k.KeyID] != nil {
			return nil, errors.New("two keys have the same kid")
		}
		s.named[k.KeyID] = k
	}
	return s, nil
}

// Len is the number of its keys.
func (s *Set) Len() int { return len(s.Keys) }

// ByKID returns the key of that name, or nil.
func (s *Set) ByKID(kid string) *Key { return s.named[kid] }

// Equal reports whether s and o hold the same keys in the same order.
func (s *Set) Equal(o *Set) bool {
	return slices.EqualFunc(s.Keys, o.Keys, func(a, b *Key) bool {
		key, ok := a.Public.(interface{ Equal(crypto.PublicKey) bool })
		return ok && a.KeyID == b.KeyID && a.Algorithm == b.Algorithm && key.Equal(b.Public)
	})
}

// Find returns the key for a token with this kid and algorithm, or nil and the
// reason. A token that names a kid gets the key with exactly that kid; a key
// without kid is not it, or revoking a kid would protect nobody. A token that
// names none gets the one key that fits its algorithm, if there is exactly one.
func (s *Set) Find(kid, name string, a *Algorithm) (*Key, error) {
	if kid != "" {
		k := s.named[kid]
		switch {
		case k == nil:
			return nil, problem.ErrUnknownKey
		case !k.Fits(name, a):
			return nil, problem.ErrAlgorithm
		}
		return k, nil
	}
	var found *Key
	for _, k := range s.Keys {
		if !k.Fits(name, a) {
			continue
		}
		if found != nil {
			return nil, problem.ErrUnknownKey
		}
		found = k
	}
	if found == nil {
		return nil, problem.ErrUnknownKey
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

// CheckPublic refuses keys that are too weak to trust whatever they sign.
func CheckPublic(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return CheckRSA(k)
	case *ecdsa.PublicKey: // its point has been found to be on the curve
		return nil
	case ed25519.PublicKey:
		return checkEd25519(k)
	default:
		return fmt.Errorf("a %T can't verify signatures", key)
	}
}

func CheckRSA(k *rsa.PublicKey) error {
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
