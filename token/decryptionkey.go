package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// DecryptionKey decrypts tokens that an issuer encrypts for this service (JWE,
// RFC 7516). Every field but KeyID is required.
type DecryptionKey struct {
	// KeyID is compared with the kid of the JWE header byte for byte. Two keys
	// of a Verifier must not share one. Empty is allowed; a token that names a
	// kid is then not decrypted with this key, and one that names none only if
	// no other key fits it.
	KeyID string

	// Algorithm is the one alg that Key is used with (RFC 7518 section 4): dir,
	// RSA-OAEP-256 or ECDH-ES.
	Algorithm string

	// Encryption is the one enc that Key is used with (RFC 7518 section 5.3):
	// A128GCM, A192GCM or A256GCM.
	Encryption string

	// Key is a []byte of exactly 16, 24 or 32 random bytes for dir, as Encryption
	// needs, an *rsa.PrivateKey of at least 2048 bits for RSA-OAEP-256, or an
	// *ecdsa.PrivateKey on P-256, P-384 or P-521 for ECDH-ES. A token costs one
	// operation with it before anything is known of its sender.
	Key any
}

// String hides the key from fmt.
func (k DecryptionKey) String() string { return "token.DecryptionKey(redacted)" }

// GoString hides the key from fmt's %#v.
func (k DecryptionKey) GoString() string { return k.String() }

const (
	algDir        = "dir"
	algRSAOAEP256 = "RSA-OAEP-256"
	algECDHES     = "ECDH-ES"
)

// gcmKeyBytes are the supported values of enc and their key lengths.
var gcmKeyBytes = map[string]int{"A128GCM": 16, "A192GCM": 24, "A256GCM": 32}

// validate reports what is wrong with k. It repeats nothing of the key.
func (k DecryptionKey) validate() error {
	if len(k.KeyID) > strict.MaxKeyIDLen {
		return fmt.Errorf("its KeyID is longer than %d bytes", strict.MaxKeyIDLen)
	}
	bytes, ok := gcmKeyBytes[k.Encryption]
	if !ok {
		return fmt.Errorf("enc %.20q is not supported; use A128GCM, A192GCM or A256GCM", k.Encryption)
	}
	switch k.Algorithm {
	case algDir:
		return checkContentKey(k.Key, bytes)
	case algRSAOAEP256:
		return checkRSADecryption(k.Key)
	case algECDHES:
		return checkECDH(k.Key)
	default:
		return fmt.Errorf("alg %.20q is not supported; use dir, RSA-OAEP-256 or ECDH-ES", k.Algorithm)
	}
}

func checkContentKey(key any, bytes int) error {
	secret, ok := key.([]byte)
	switch {
	case !ok || len(secret) != bytes:
		return fmt.Errorf("dir with this enc needs a []byte of %d bytes", bytes)
	case !jwks.LooksRandom(secret):
		return errors.New("the key repeats a few bytes; use random ones")
	}
	return nil
}

func checkRSADecryption(key any) error {
	private, ok := key.(*rsa.PrivateKey)
	if !ok || private == nil {
		return errors.New("RSA-OAEP-256 needs an *rsa.PrivateKey")
	}
	if err := private.Validate(); err != nil {
		return errors.New("the RSA key is malformed")
	}
	return jwks.CheckRSA(&private.PublicKey)
}

func checkECDH(key any) error {
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private == nil {
		return errors.New("ECDH-ES needs an *ecdsa.PrivateKey")
	}
	switch private.Curve {
	case elliptic.P256(), elliptic.P384(), elliptic.P521():
	default:
		return errors.New("ECDH-ES needs a key on P-256, P-384 or P-521")
	}
	if !matches(private) {
		return errors.New("the public part does not belong to the private part")
	}
	return nil
}

// decrypters checks the decryption keys of all issuers.
func decrypters(issuers []IssuerConfig) ([]*decrypter, error) {
	var all []*decrypter
	seen := map[string]bool{}
	for _, c := range issuers {
		for n, k := range c.DecryptionKeys {
			if err := k.validate(); err != nil {
				return nil, fmt.Errorf("issuer %.80q: decryption key %d: %w", c.Issuer, n+1, err)
			}
			if k.KeyID != "" && seen[k.KeyID] {
				return nil, fmt.Errorf("issuer %.80q: decryption key %d: its KeyID is used twice", c.Issuer, n+1)
			}
			seen[k.KeyID] = true
			if secret, ok := k.Key.([]byte); ok {
				k.Key = append([]byte(nil), secret...) // the caller may wipe it
			}
			all = append(all, &decrypter{k, c.Issuer})
		}
	}
	return all, nil
}
