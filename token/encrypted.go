package token

import (
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json/jsontext"

	"rescind/token/internal/strict"
)

// An encrypted token is a JWS nested in a JWE (RFC 7519 section 11.2) in
// Compact Serialization (RFC 7516 section 7.1). It has the identity of the
// token inside, so encrypting it anew does not escape a revocation.

// encrypted is what a JWE says before it is decrypted.
type encrypted struct {
	alg, enc, kid, cty string

	hasKey bool // the second part, the encrypted key, is not empty

	// replicated are claims that the header repeats (RFC 7519 section 5.3).
	replicated claims
}

var encryptedNames = []string{
	"alg", "enc", "kid", "cty", "typ", "zip", "crit", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c", "iss", "sub", "aud",
}

func (e *encrypted) read(name string, dec *jsontext.Decoder) (err error) {
	switch name {
	case "alg":
		e.alg, err = strict.ReadString(dec, 16)
	case "enc":
		e.enc, err = strict.ReadString(dec, 16)
	case "kid":
		e.kid, err = strict.ReadString(dec, strict.MaxKeyIDLen)
	case "cty":
		e.cty, err = strict.ReadString(dec, 64)
	case "iss", "sub", "aud":
		return e.replicated.read(name, dec)
	case "zip", "crit", "p2s", "p2c":
		return errCritical
	default:
		err = strict.Skip(dec)
	}
	return err
}

// looksEncrypted reports whether raw has the five parts of a JWE. It reads no
// further than the size limit.
func (v *Verifier) looksEncrypted(raw string) bool {
	return len(v.trust.Load().decryption) > 0 && len(raw) <= v.config.MaxTokenBytes && strings.Count(raw, ".") == 4
}

// authenticateEncrypted decrypts raw and authenticates what is inside, which
// must be of the issuer that the decryption key belongs to.
func (v *Verifier) authenticateEncrypted(raw string) (*authentic, error) {
	e, err := parseEncrypted(raw, v.config.MaxDepth)
	if err != nil {
		return nil, err
	}
	key, err := v.decryptionKey(e)
	if err != nil {
		return nil, err
	}
	inner, err := key.open(raw)
	if err != nil {
		return nil, err
	}
	a, err := v.authenticateSigned(inner)
	switch {
	case err != nil:
		return nil, err
	case a.Token.Issuer != key.issuer:
		return nil, refuse(ErrUnknownIssuer, "encryption", "the token is encrypted for another issuer's key")
	case !e.replicated.agree(&a.claims):
		return nil, refuse(ErrClaims, "encryption", "a claim in the encryption header differs from the one inside")
	}
	return a, nil
}

// agree reports whether c repeats claims of o only.
func (c *claims) agree(o *claims) bool {
	return (c.iss == "" || c.iss == o.iss) && (c.sub == "" || c.sub == o.sub) && (c.aud == nil || slices.Equal(c.aud, o.aud))
}

// parseEncrypted reads the header of a JWE and refuses, before any
// cryptography, every form but the one canonical one of the supported
// algorithms (RFC 7516 section 5.2, RFC 8725 sections 3.6 to 3.8). Compression
// is refused because it leaks and inflates, and passwords because they cost as
// much as the sender likes.
func parseEncrypted(raw string, maxDepth int) (*encrypted, error) {
	parts := strings.Split(raw, ".")
	var decoded [5][]byte
	for i, p := range parts {
		var ok bool
		if decoded[i], ok = strict.DecodeSegment(p); !ok && (p != "" || i != 1) {
			return nil, refuse(ErrMalformed, "encryption", "a part is empty or not canonical base64url")
		}
	}
	e := &encrypted{hasKey: parts[1] != ""}
	switch err := strict.ReadObject(decoded[0], maxDepth, encryptedNames, e.read); {
	case err == errCritical:
		return nil, refuse(ErrMalformed, "encryption", "zip, crit and password-based encryption are not accepted")
	case err != nil:
		return nil, refuse(ErrMalformed, "encryption", "the header is not acceptable JSON")
	case normalType(e.cty) != TypeJWT:
		return nil, refuse(ErrMalformed, "encryption", "an encrypted token must hold a signed one, and say so by cty JWT")
	case len(decoded[2]) != gcmNonce || len(decoded[4]) != gcmTag:
		return nil, refuse(ErrMalformed, "encryption", "the initialization vector or the authentication tag has a wrong length")
	}
	return e, nil
}

// Lengths in AES-GCM, in bytes: RFC 7518 section 5.3.
const (
	gcmNonce = 12
	gcmTag   = 16
)

// decryptionKey finds the key for e: by kid, or if e has none the one that fits.
func (v *Verifier) decryptionKey(e *encrypted) (*decrypter, error) {
	var found *decrypter
	for _, k := range v.trust.Load().decryption {
		if e.kid != "" && k.KeyID != e.kid || k.Algorithm != e.alg || k.Encryption != e.enc {
			continue
		}
		if found != nil {
			return nil, refuse(ErrUnknownKey, "encryption", "several decryption keys fit; the token must name one by kid")
		}
		found = k
	}
	switch {
	case found == nil:
		return nil, refuse(ErrUnknownKey, "encryption", "no decryption key has the kid of the token and fits its alg and enc")
	case e.hasKey != (e.alg == algRSAOAEP256): // RFC 7516 section 5.2, steps 9 and 10
		return nil, refuse(ErrMalformed, "encryption", "there is an encrypted key where there must be none, or none where there must be one")
	}
	return found, nil
}

// decrypter is a DecryptionKey that has passed every check.
type decrypter struct {
	DecryptionKey
	issuer string
}

// open returns what is inside raw. All failures look alike, so that nobody
// learns which step failed.
func (d *decrypter) open(raw string) (string, error) {
	failed := refuse(ErrDecryption, "encryption", "the token can not be decrypted")
	obj, err := jose.ParseEncryptedCompact(raw, []jose.KeyAlgorithm{jose.KeyAlgorithm(d.Algorithm)}, []jose.ContentEncryption{jose.ContentEncryption(d.Encryption)})
	if err != nil {
		return "", failed
	}
	inner, err := obj.Decrypt(d.Key)
	if err != nil {
		return "", failed
	}
	return string(inner), nil
}
