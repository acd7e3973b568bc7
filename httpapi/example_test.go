package httpapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"

	"rescind/cluster"
	"rescind/httpapi"
	"rescind/token"
)

// The HTTP face of a node beside a service of one's own, which also issues the
// tokens: forward-auth, and logging out.
func Example() {
	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	dir, err := os.MkdirTemp("", "rescind-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	node, err := cluster.Open(ctx, cluster.Config{Name: "api-1", DataDir: dir, Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close()
	keys, err := token.GenerateKeySet()
	if err != nil {
		fmt.Println(err)
		return
	}
	issuer, err := token.NewIssuer(token.SignerConfig{Issuer: "https://shop.example", Keys: keys, Checker: node, Revoker: node})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := token.NewVerifier(ctx, token.VerifierConfig{Issuers: []token.IssuerConfig{issuer.Trust()}, Checker: node})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verifier.Close()
	api, err := httpapi.New(httpapi.Config{Node: node, Verifier: verifier, Issuer: "https://shop.example", JWKS: keys.JWKS, Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := api.Handler()

	phone, err := issuer.Login(ctx, "ada", token.LoginOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, call := range [][2]string{{"GET", "/v1/check"}, {"DELETE", "/v1/session"}, {"GET", "/v1/check"}} {
		r := httptest.NewRequest(call[0], call[1], nil)
		r.Header.Set("Authorization", "Bearer "+phone.AccessToken)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(call[0], call[1], w.Code)
	}
	// Output:
	// GET /v1/check 200
	// DELETE /v1/session 200
	// GET /v1/check 401
}
