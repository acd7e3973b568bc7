package main

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

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"rescind"
)

const (
	compareIssuer   = "https://issuer.compare.invalid"
	compareAudience = "https://api.compare.invalid"
)

// apiToken is a token as a client presents it, and what verifying it brings.
type apiToken struct {
	raw  string
	said rescind.Token
}

// id is what the rivals ask for.
func (t *apiToken) id() string { return t.said.ID }

// tokenPool signs the tokens of a comparison.
type tokenPool struct {
	alg     string
	private any
	public  crypto.PublicKey
	jwks    []byte
	next    uint64 // of the identifiers that are not revoked beforehand
}

func newTokenPool(alg string) (*tokenPool, error) {
	private, public, err := verifyKeys(alg)
	if err != nil {
		return nil, err
	}
	jwks, err := keySetOf(public)
	if err != nil {
		return nil, err
	}
	return &tokenPool{alg: alg, private: private, public: public, jwks: jwks, next: absentFrom}, nil
}

// fresh returns n tokens that nobody has revoked.
func (p *tokenPool) fresh(n int) ([]*apiToken, error) {
	tokens := make([]*apiToken, n)
	for i := range tokens {
		var err error
		if tokens[i], err = p.sign(tokenID(p.next)); err != nil {
			return nil, err
		}
		p.next++
	}
	return tokens, nil
}

// sign makes a token with the claims of RFC 9068, as access tokens have them.
func (p *tokenPool) sign(id string) (*apiToken, error) {
	now := time.Now().Truncate(time.Second)
	t := &apiToken{said: rescind.Token{
		Issuer: compareIssuer, ID: id, Session: "session-" + id, Subject: "user-" + id, ClientID: "shop",
		IssuedAt: rescind.MillisOf(now), ExpiresAt: rescind.MillisOf(now.Add(2 * time.Hour)),
	}}
	tok := jwt.NewWithClaims(jwt.GetSigningMethod(p.alg), jwt.MapClaims{
		"iss": compareIssuer, "aud": compareAudience, "sub": t.said.Subject, "sid": t.said.Session, "jti": id, "client_id": "shop",
		"iat": now.Unix(), "exp": now.Add(2 * time.Hour).Unix(),
	})
	tok.Header["typ"] = "at+jwt"
	var err error
	if t.raw, err = tok.SignedString(p.private); err != nil {
		return nil, fmt.Errorf("sign a token: %w", err)
	}
	return t, nil
}

// tokenID returns the i-th of a series of distinct identifiers that look like
// UUIDs.
func tokenID(i uint64) string {
	a, b := scramble(i), scramble(^i)
	return fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// verifyKeys makes the keys of an algorithm. HS256 has one, a []byte.
func verifyKeys(alg string) (private, public any, err error) {
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

// keySetOf returns the JWK Set that holds a public key.
func keySetOf(public any) ([]byte, error) {
	jwk, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{})
	if err != nil {
		return nil, err
	}
	return json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{jwk.Marshal()}})
}
