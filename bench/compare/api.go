package compare

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"rescind/bench/apitoken"
	"rescind/bench/sets"
)

// api is one process of an API, as far as it judges tokens. Its methods are safe
// for concurrent use.
type api interface {
	// check judges a token as for a request: form, signature, claims and
	// revocation. nil lets it through; errRevokedToken is the answer 401; any
	// other error means that the API can't know.
	check(ctx context.Context, t *apitoken.Token) error

	// revoked is the question about revocation alone, for a token that has been
	// verified. errNotApart if it can't be asked by itself.
	revoked(ctx context.Context, t *apitoken.Token) (bool, error)

	// revoke logs the token out. It returns when the way of this API promises
	// that it holds.
	revoke(ctx context.Context, t *apitoken.Token) error
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

func newWithGolangJWT(p *apitoken.Pool, b blacklist) withGolangJWT {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{p.Alg}), jwt.WithIssuer(apitoken.Issuer), jwt.WithAudience(apitoken.Audience), jwt.WithExpirationRequired())
	return withGolangJWT{parser, p.Public, b}
}

func (a withGolangJWT) check(ctx context.Context, t *apitoken.Token) error {
	var claims jwt.RegisteredClaims
	if _, err := a.parser.ParseWithClaims(t.Raw, &claims, func(*jwt.Token) (any, error) { return a.key, nil }); err != nil {
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

func (a withGolangJWT) revoked(ctx context.Context, t *apitoken.Token) (bool, error) {
	return a.blacklist.revoked(ctx, t.ID())
}

func (a withGolangJWT) revoke(ctx context.Context, t *apitoken.Token) error {
	return a.blacklist.revoke(ctx, t.ID())
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
	m := sets.NewBloomMap(n)
	return rivalBlacklist{m.Add, m.Revoked}
}

func newSyncMapBlacklist(int) rivalBlacklist {
	m := new(sets.SyncMap)
	return rivalBlacklist{m.Add, func(id string) bool { _, ok := m.Load(id); return ok }}
}
