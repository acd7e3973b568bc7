package front

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"rescind"
	"rescind/cluster"
	"rescind/httpapi"
	"rescind/token"
)

// signingKey is known to all processes of one run, and good for nothing else.
func signingKey() (*ecdsa.PrivateKey, error) {
	seed := sha256.Sum256([]byte("rescind bench front"))
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
}

func newTokens(n int) ([]string, error) {
	key, err := signingKey()
	if err != nil {
		return nil, err
	}
	tokens := make([]string, n)
	for i := range tokens {
		tok := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": issuer, "sub": fmt.Sprint("user-", i), "sid": fmt.Sprint("session-", i), "jti": fmt.Sprintf("%036d", i), "aud": "api", "client_id": "shop",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		})
		tok.Header["kid"] = "front"
		if tokens[i], err = tok.SignedString(key); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// RunOurs is the server of frontOurs: a node, alone, with 100,000
// revocations of others.
func RunOurs(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("is started by bench front")
	}
	quiet := slog.New(slog.DiscardHandler)
	node, err := cluster.Open(ctx, cluster.Config{DataDir: args[1], Logger: quiet})
	if err != nil {
		return err
	}
	defer node.Close()
	if err := revokeOthers(ctx, node); err != nil {
		return err
	}
	key, err := signingKey()
	if err != nil {
		return err
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "front", Algorithm: "ES256"}}})
	if err != nil {
		return err
	}
	verifier, err := token.NewVerifier(ctx, token.VerifierConfig{
		Checker: node, Logger: quiet,
		Issuers: []token.IssuerConfig{{Issuer: issuer, Audience: []string{"api"}, Algorithms: []string{"ES256"}, JWKS: set}},
	})
	if err != nil {
		return err
	}
	defer verifier.Close()
	api, err := httpapi.New(httpapi.Config{Node: node, Verifier: verifier, Logger: quiet})
	if err != nil {
		return err
	}
	return serveFront(ctx, httpapi.NewServer(args[0], api.Handler(), quiet))
}

const revokedBefore = 100_000

func revokeOthers(ctx context.Context, node *cluster.Node) error {
	failed := make(chan error, 64)
	for w := range cap(failed) {
		go func() {
			var err error
			for i := w; i < revokedBefore && err == nil; i += cap(failed) {
				key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: issuer, ID: fmt.Sprint("revoked-", i)}
				_, err = node.Revoke(ctx, rescind.Revocation{Key: key}, rescind.AckLocal)
			}
			failed <- err
		}()
	}
	var err error
	for range cap(failed) {
		err = errors.Join(err, <-failed)
	}
	return err
}

func serveFront(ctx context.Context, server *http.Server) error {
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
