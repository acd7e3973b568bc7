package token

import (
	"crypto/rsa"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// algorithm is a signature algorithm and what it asks of a key.
type algorithm struct {
	method jwt.SigningMethod
	kty    string // as in a JWK: RSA, EC, OKP, oct
	curve  string // as in a JWK, for EC and OKP
	secret int    // the least length of a secret in bytes, for oct: RFC 7518 section 3.2
}

// algorithms lists what can be allowed, by the names of RFC 7518 section 3.1
// and RFC 8037. "none" is not among them.
var algorithms = map[string]*algorithm{
	"RS256": {method: jwt.SigningMethodRS256, kty: "RSA"},
	"RS384": {method: jwt.SigningMethodRS384, kty: "RSA"},
	"RS512": {method: jwt.SigningMethodRS512, kty: "RSA"},
	"PS256": {method: exactSalt(jwt.SigningMethodPS256), kty: "RSA"},
	"PS384": {method: exactSalt(jwt.SigningMethodPS384), kty: "RSA"},
	"PS512": {method: exactSalt(jwt.SigningMethodPS512), kty: "RSA"},
	"ES256": {method: jwt.SigningMethodES256, kty: "EC", curve: "P-256"},
	"ES384": {method: jwt.SigningMethodES384, kty: "EC", curve: "P-384"},
	"ES512": {method: jwt.SigningMethodES512, kty: "EC", curve: "P-521"},
	"EdDSA": {method: jwt.SigningMethodEdDSA, kty: "OKP", curve: "Ed25519"},
	"HS256": {method: jwt.SigningMethodHS256, kty: "oct", secret: 32},
	"HS384": {method: jwt.SigningMethodHS384, kty: "oct", secret: 48},
	"HS512": {method: jwt.SigningMethodHS512, kty: "oct", secret: 64},
}

// exactSalt makes m refuse salts of another length than the hash's, as RFC 7518
// section 3.5 demands. golang-jwt accepts any length when it verifies.
func exactSalt(m *jwt.SigningMethodRSAPSS) *jwt.SigningMethodRSAPSS {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: m.SigningMethodRSA,
		Options:          m.Options,
		VerifyOptions:    &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.Hash},
	}
}

// allowList resolves an issuer's list of algorithm names.
func allowList(names []string) (map[string]*algorithm, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("algorithms is empty; name the algorithms that the issuer signs with, e.g. ES256")
	}
	allowed := make(map[string]*algorithm, len(names))
	for _, name := range names {
		a, ok := algorithms[name]
		switch {
		case strings.EqualFold(name, "none"):
			return nil, fmt.Errorf("algorithms: none is no signature and never allowed")
		case !ok:
			return nil, fmt.Errorf("algorithms: %.20q is not supported; use RS, PS, ES or HS with 256, 384 or 512, or EdDSA", name)
		}
		allowed[name] = a
	}
	return allowed, nil
}
