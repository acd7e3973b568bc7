package jwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"rescind/token/internal/strict"
)

// Names of RFC 7517 section 4.2 and RFC 7518 section 6.1.
const (
	UseSignature  = "sig"
	UseEncryption = "enc"

	TypeEC        = "EC"
	TypeRSA       = "RSA"
	TypeOKP       = "OKP" // RFC 8037
	TypeSymmetric = "oct"
)

// JWK is a key as it is written (RFC 7517 section 4), public or private. Certificates
// (x5c and its like) are not consulted, so they are not here.
type JWK struct {
	Type       string   `json:"kty,omitzero"`
	Use        string   `json:"use,omitzero"`
	Operations []string `json:"key_ops,omitempty"`
	Algorithm  string   `json:"alg,omitzero"`
	KeyID      string   `json:"kid,omitzero"`
	Curve      string   `json:"crv,omitzero"`
	X          string   `json:"x,omitzero"`
	Y          string   `json:"y,omitzero"`
	N          string   `json:"n,omitzero"`
	E          string   `json:"e,omitzero"`
	D          string   `json:"d,omitzero"`
	P          string   `json:"p,omitzero"`
	Q          string   `json:"q,omitzero"`
	DP         string   `json:"dp,omitzero"`
	DQ         string   `json:"dq,omitzero"`
	QI         string   `json:"qi,omitzero"`
	K          string   `json:"k,omitzero"`
}

// Of returns key as a JWK: a public or private key of RSA, of an elliptic curve or of
// Ed25519, or a secret as []byte.
func Of(key any, kid string) (m JWK, err error) {
	raw, err := (jose.JSONWebKey{Key: key, KeyID: kid}).MarshalJSON()
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return JWK{}, fmt.Errorf("writing a key as a JWK: %w", err)
	}
	return m, nil
}

// Private returns the private or symmetric key itself, in the type that crypto has for
// it. Its error repeats nothing of the key. Whether the halves of a key pair belong
// together is not looked at.
func (m JWK) Private() (any, error) {
	if m.D == "" && m.K == "" {
		return nil, errors.New("it has no private part")
	}
	m.Use, m.Operations, m.Algorithm = "", nil, ""
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, errMaterial
	}
	var k jose.JSONWebKey
	if k.UnmarshalJSON(raw) != nil || !k.Valid() {
		return nil, errMaterial
	}
	return k.Key, nil
}

// Public returns the public key itself. Unlike go-jose it takes every number of bits:
// CheckPublic says what is wrong with a key, and go-jose only that something is.
func (m JWK) Public() (any, error) {
	var b [4][]byte
	for i, s := range []string{m.X, m.Y, m.N, m.E} {
		b[i], _ = strict.DecodeSegment(s) // checkMembers has refused what is not canonical
	}
	x, y, n, e := b[0], b[1], b[2], b[3]
	switch curve := curves[m.Curve]; {
	case m.Type == TypeRSA && len(n) > 0 && len(e) > 0 && len(e) <= 4:
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	case m.Type == TypeEC && curve != nil:
		if k, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)); err == nil {
			return k, nil
		}
	case m.Type == TypeOKP && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x), nil
	}
	return nil, errMaterial
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

var errMaterial = errors.New("the key material is malformed, or the point is not on the curve")
