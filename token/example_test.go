package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"rescind"
	"rescind/token"
)

// memory stands for a *cluster.Node in these examples.
type memory struct{ revoked sync.Map }

func (m *memory) Check(t rescind.Token) rescind.Verdict {
	for _, scope := range rescind.Scopes() {
		before, ok := m.revoked.Load(rescind.Key{Scope: scope, Issuer: t.Issuer, ID: t.Value(scope)})
		if ok && t.IssuedAt <= before.(rescind.Millis) {
			return rescind.Revoked
		}
	}
	return rescind.Valid
}

func (m *memory) Revoke(_ context.Context, r rescind.Revocation, _ rescind.Ack) (rescind.Receipt, error) {
	before := rescind.Ever
	if !r.IssuedBefore.IsZero() {
		before = rescind.MillisOf(r.IssuedBefore)
	}
	m.revoked.Store(r.Key, before)
	return rescind.Receipt{}, nil
}

func ExampleVerifier() {
	node := new(memory)
	keys, err := token.GenerateKeySet()
	if err != nil {
		fmt.Println(err)
		return
	}
	issuer, err := token.NewIssuer(token.SignerConfig{
		Issuer: "https://shop.example", Keys: keys, Checker: node, Revoker: node,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := token.NewVerifier(context.Background(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{issuer.Trust()},
		Checker: node,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verifier.Close()

	phone, err := issuer.Login(context.Background(), "alice", token.LoginOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	verified, err := verifier.Verify(phone.AccessToken)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("signed in as", verified.Token.Subject)

	// Log out this device: its access and refresh tokens end.
	if _, err := node.Revoke(context.Background(), verified.Session(), rescind.AckDefault); err != nil {
		fmt.Println(err)
		return
	}
	_, err = verifier.Verify(phone.AccessToken)
	fmt.Println("revoked:", errors.Is(err, token.ErrRevoked))
	// Output:
	// signed in as alice
	// revoked: true
}

func ExampleMiddleware() {
	node := new(memory)
	verifier, err := token.NewVerifier(context.Background(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{
			Issuer:     "https://login.example",
			Audience:   []string{"https://api.example"},
			Algorithms: []string{"ES256"},
			JWKS:       []byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`),
		}},
		Checker: node,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verifier.Close()

	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := token.ClaimsFrom[struct {
			Name string `json:"name"`
		}](r.Context())
		if err != nil {
			token.WriteError(w, err, "")
			return
		}
		fmt.Fprintln(w, "hello", claims.Name)
	})
	protected := token.Middleware(verifier)(hello)

	w := httptest.NewRecorder()
	protected.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// 401 Bearer realm="rescind"
}

func ExampleIssuer_LogoutOthers() {
	ctx, node := context.Background(), new(memory)
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
	lost, err := issuer.Login(ctx, "alice", token.LoginOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	phone, err := issuer.Login(ctx, "alice", token.LoginOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}

	phone, err = issuer.LogoutOthers(ctx, phone.RefreshToken)
	fmt.Println("kept:", err == nil)
	_, err = issuer.Refresh(ctx, lost.RefreshToken)
	fmt.Println("the lost one is logged out:", errors.Is(err, token.ErrRevoked))

	// The answer of a refresh may get lost. A retry gets the same tokens.
	first, err := issuer.Refresh(ctx, phone.RefreshToken)
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := issuer.Refresh(ctx, phone.RefreshToken)
	fmt.Println("same tokens:", err == nil && again.RefreshToken == first.RefreshToken)
	// Output:
	// kept: true
	// the lost one is logged out: true
	// same tokens: true
}
