package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

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

// api is one process of an API, as far as it judges tokens. Its methods are safe
// for concurrent use.
type api interface {
	// check judges a token as for a request: form, signature, claims and
	// revocation. nil lets it through; errRevokedToken is the answer 401; any
	// other error means that the API can't know.
	check(ctx context.Context, t *apiToken) error

	// revoked is the question about revocation alone, for a token that has been
	// verified. errNotApart if it can't be asked by itself.
	revoked(ctx context.Context, t *apiToken) (bool, error)

	// revoke logs the token out. It returns when the way of this API promises
	// that it holds.
	revoke(ctx context.Context, t *apiToken) error
}

var (
	errRevokedToken = errors.New("the token is revoked")
	errNotApart     = errors.New("signature and revocation are checked in one request")
)

// blacklist is where a rival keeps the revoked identifiers.
type blacklist interface {
	revoked(ctx context.Context, id string) (bool, error)
	revoke(ctx context.Context, id string) error
}

// withGolangJWT is the API that most teams have: golang-jwt, then a blacklist.
type withGolangJWT struct {
	parser *jwt.Parser
	key    crypto.PublicKey
	blacklist
}

func newWithGolangJWT(p *tokenPool, b blacklist) withGolangJWT {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{p.alg}), jwt.WithIssuer(compareIssuer), jwt.WithAudience(compareAudience), jwt.WithExpirationRequired())
	return withGolangJWT{parser, p.public, b}
}

func (a withGolangJWT) check(ctx context.Context, t *apiToken) error {
	var claims jwt.RegisteredClaims
	if _, err := a.parser.ParseWithClaims(t.raw, &claims, func(*jwt.Token) (any, error) { return a.key, nil }); err != nil {
		return err
	}
	revoked, err := a.blacklist.revoked(ctx, claims.ID)
	switch {
	case err != nil:
		return fmt.Errorf("ask the blacklist: %w", err)
	case revoked:
		return errRevokedToken
	}
	return nil
}

func (a withGolangJWT) revoked(ctx context.Context, t *apiToken) (bool, error) {
	return a.blacklist.revoked(ctx, t.id())
}

func (a withGolangJWT) revoke(ctx context.Context, t *apiToken) error {
	return a.blacklist.revoke(ctx, t.id())
}

// noBlacklist is golang-jwt alone: a log-out deletes the token in the browser,
// and whoever has a copy goes on.
type noBlacklist struct{}

func (noBlacklist) revoked(context.Context, string) (bool, error) { return false, nil }
func (noBlacklist) revoke(context.Context, string) error          { return nil }

// rivalBlacklist is a set in the memory of one process.
type rivalBlacklist struct {
	add   func(id string)
	found func(id string) bool
}

func (r rivalBlacklist) revoked(_ context.Context, id string) (bool, error) { return r.found(id), nil }

func (r rivalBlacklist) revoke(_ context.Context, id string) error {
	r.add(id)
	return nil
}

func newBloomMapBlacklist(n int) rivalBlacklist {
	m := newBloomMap(n)
	return rivalBlacklist{m.add, m.revoked}
}

func newSyncMapBlacklist(int) rivalBlacklist {
	m := new(syncMap)
	return rivalBlacklist{m.add, func(id string) bool { _, ok := m.Load(id); return ok }}
}

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
