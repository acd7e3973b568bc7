package cluster_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"rescind"
	"rescind/cluster"
	"rescind/token"
)

// An API node that carries the blacklist inside itself. On a real network,
// leave out the empty lists: give Gossip.Join or NATS.URL, and a Key.
func Example() {
	dir, err := os.MkdirTemp("", "rescind-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// Join the cluster: returns loaded and synchronised.
	node, err := cluster.Open(context.Background(), cluster.Config{
		Name: "api-1", DataDir: dir, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()

	// Wrap a handler: signature, claims and revocation, all from memory.
	keys, err := token.GenerateKeySet()
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.SignerConfig{Issuer: "https://shop.example", Keys: keys, Checker: node, Revoker: node})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := token.NewVerifier(context.Background(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{issuer.Trust()}, Checker: node,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()
	api := token.Middleware(verifier)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verified, _ := token.FromContext(r.Context())
		fmt.Fprint(w, "hello ", verified.Token.Subject)
	}))

	phone, err := issuer.Login(context.Background(), "ada", token.LoginOptions{})
	if err != nil {
		log.Fatal(err)
	}
	call := func() {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+phone.AccessToken)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	call()
	// Log out everywhere, and wait until every node has it on disk.
	if _, err := node.Revoke(context.Background(), rescind.Revocation{
		Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: "https://shop.example", ID: "ada"},
	}, rescind.AckAll); err != nil {
		log.Fatal(err)
	}
	call()
	// Output:
	// 200
	// 401
}
