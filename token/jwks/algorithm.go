package jwks

import (
	"crypto/rsa"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is a signature algorithm and what it asks of a key.
type Algorithm struct {
	Method jwt.SigningMethod
	Type   string // as in a JWK: RSA, EC, OKP, oct
	curve  string // as in a JWK, for EC and OKP
	secret int    // the least length of a secret in bytes, for oct: RFC 7518 section 3.2
}

// Algorithms lists what can be allowed, by the names of RFC 7518 section 3.1
// and RFC 8037. "none" is not among them.
var Algorithms = map[string]*Algorithm{
	"RS256": {Method: jwt.SigningMethodRS256, Type: "RSA"},
	"RS384": {Method: jwt.SigningMethodRS384, Type: "RSA"},
	"RS512": {Method: jwt.SigningMethodRS512, Type: "RSA"},
	"PS256": {Method: exactSalt(jwt.SigningMethodPS256), Type: "RSA"},
	"PS384": {Method: exactSalt(jwt.SigningMethodPS384), Type: "RSA"},
	"PS512": {Method: exactSalt(jwt.SigningMethodPS512), Type: "RSA"},
	"ES256": {Method: jwt.SigningMethodES256, Type: "EC", curve: "P-256"},
	"ES384": {Method: jwt.SigningMethodES384, Type: "EC", curve: "P-384"},
	"ES512": {Method: jwt.SigningMethodES512, Type: "EC", curve: "P-521"},
	"EdDSA": {Method: jwt.SigningMethodEdDSA, Type: "OKP", curve: "Ed25519"},
	"HS256": {Method: jwt.SigningMethodHS256, Type: "oct", secret: 32},
	"HS384": {Method: jwt.SigningMethodHS384, Type: "oct", secret: 48},
	"HS512": {Method: jwt.SigningMethodHS512, Type: "oct", secret: 64},
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

// AllowList resolves an issuer's list of algorithm names.
func AllowList(names []string) (map[string]*Algorithm, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("algorithms is empty; name the algorithms that the issuer signs with, e.g. ES256")
	}
	allowed := make(map[string]*Algorithm, len(names))
	for _, name := range names {
		a, ok := Algorithms[name]
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
