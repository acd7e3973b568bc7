// Package apitoken signs the access tokens of a measurement.
package apitoken

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"rescind"
	"rescind/bench/ids"
)

// What its tokens say.
const (
	Issuer   = "https://issuer.compare.invalid"
	Audience = "https://api.compare.invalid"
)

// Token is a token as a client presents it, and what verifying it brings.
type Token struct {
	Raw  string
	Said rescind.Token // its claims
}

// ID returns its jti, what rivals ask for.
func (t *Token) ID() string { return t.Said.ID }

// Pool signs the tokens of a comparison.
type Pool struct {
	Alg     string
	private any
	Public  crypto.PublicKey
	JWKS    []byte
	next    uint64 // of the identifiers that are not revoked beforehand
}

// NewPool makes the key of alg, one of those of Keys but HS256.
func NewPool(alg string) (*Pool, error) {
	private, public, err := Keys(alg)
	if err != nil {
		return nil, err
	}
	jwks, err := KeySetOf(public)
	if err != nil {
		return nil, err
	}
	return &Pool{Alg: alg, private: private, Public: public, JWKS: jwks, next: ids.AbsentFrom}, nil
}

// Fresh returns n tokens that nobody has revoked.
func (p *Pool) Fresh(n int) ([]*Token, error) {
	tokens := make([]*Token, n)
	for i := range tokens {
		var err error
		if tokens[i], err = p.Sign(ID(p.next)); err != nil {
			return nil, err
		}
		p.next++
	}
	return tokens, nil
}

// Sign makes a token with the claims of RFC 9068, as access tokens have them.
func (p *Pool) Sign(id string) (*Token, error) {
	now := time.Now().Truncate(time.Second)
	t := &Token{Said: rescind.Token{
		Issuer: Issuer, ID: id, Session: "session-" + id, Subject: "user-" + id, ClientID: "shop",
		IssuedAt: rescind.MillisOf(now), ExpiresAt: rescind.MillisOf(now.Add(2 * time.Hour)),
	}}
	tok := jwt.NewWithClaims(jwt.GetSigningMethod(p.Alg), jwt.MapClaims{
		"iss": Issuer, "aud": Audience, "sub": t.Said.Subject, "sid": t.Said.Session, "jti": id, "client_id": "shop",
		"iat": now.Unix(), "exp": now.Add(2 * time.Hour).Unix(),
	})
	tok.Header["typ"] = "at+jwt"
	var err error
	if t.Raw, err = tok.SignedString(p.private); err != nil {
		return nil, fmt.Errorf("sign a token: %w", err)
	}
	return t, nil
}

// ID returns the i-th of a series of distinct identifiers that look like
// UUIDs.
func ID(i uint64) string {
	a, b := ids.Scramble(i), ids.Scramble(^i)
	return fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// Keys makes the keys of an algorithm. HS256 has one, a []byte.
func Keys(alg string) (private, public any, err error) {
	switch alg {
	case "ES256":
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		return k, &k.PublicKey, nil
	case "RS256":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, nil, err
		}
		return k, &k.PublicKey, nil
	case "EdDSA":
		public, private, err := ed25519.GenerateKey(rand.Reader)
		return private, public, err
	default:
		secret := make([]byte, 32)
		_, err := rand.Read(secret)
		return secret, secret, err
	}
}

// KeySetOf returns the JWK Set that holds a public key.
func KeySetOf(public any) ([]byte, error) {
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public}}})
}
