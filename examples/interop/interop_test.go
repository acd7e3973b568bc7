// Package interop_test meets the OAuth endpoints with clients that others wrote.
package interop_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	zoidc "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"

	"rescind/cluster"
	"rescind/httpapi"
	"rescind/token"
)

const secret = "secret: 100% & more"

// site is a node whose face is also the issuer that clients discover.
type site struct {
	url    string
	issuer *token.Issuer
}

func newSite(t *testing.T) *site {
	t.Helper()
	node, err := cluster.Open(t.Context(), cluster.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s := &site{url: server.URL}
	s.issuer, err = token.NewIssuer(token.SignerConfig{Issuer: s.url, Audience: []string{"shop"}, Keys: keys, Checker: node, Revoker: node})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(t.Context(), token.VerifierConfig{Checker: node, Issuers: []token.IssuerConfig{s.issuer.Trust()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Config{
		Node: node, Verifier: verifier, JWKS: keys.JWKS, Signer: keys, Name: s.url,
		Clients: []httpapi.Client{{ID: "shop", SecretHash: string(hash)}, {ID: "orders", SecretHash: string(hash), Introspect: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", api.Handler())
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{
			"issuer": s.url, "jwks_uri": s.url + "/.well-known/jwks.json", "revocation_endpoint": s.url + "/oauth2/revoke",
			"introspection_endpoint": s.url + "/oauth2/introspect", "authorization_endpoint": s.url + "/none", "token_endpoint": s.url + "/none",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	return s
}

func (s *site) login(t *testing.T) token.Pair {
	t.Helper()
	pair, err := s.issuer.Login(t.Context(), "ada", token.LoginOptions{ClientID: "shop", Claims: map[string]any{"scope": "read"}})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// check is what an API behind a proxy gets: golang.org/x/oauth2 sends the token.
func (s *site) check(t *testing.T, raw string) int {
	t.Helper()
	client := oauth2.NewClient(t.Context(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: raw}))
	resp, err := client.Get(s.url + "/v1/check?require_scope=read")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (s *site) active(t *testing.T, server rs.ResourceServer, raw string) bool {
	t.Helper()
	answer, err := rs.Introspect[*zoidc.IntrospectionResponse](t.Context(), server, raw)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Active && (answer.Subject != "ada" || answer.ClientID != "shop" || answer.Issuer != s.url) {
		t.Errorf("introspection says %+v", answer)
	}
	return answer.Active
}

// TestZitadel revokes as a relying party (RFC 7009) and introspects as a resource
// server (RFC 7662) with zitadel/oidc.
func TestZitadel(t *testing.T) {
	s := newSite(t)
	server, err := rs.NewResourceServerClientCredentials(t.Context(), s.url, "orders", secret)
	if err != nil {
		t.Fatal(err)
	}
	party, err := rp.NewRelyingPartyOIDC(t.Context(), s.url, "shop", secret, s.url+"/callback", []string{"openid"})
	if err != nil {
		t.Fatal(err)
	}
	first, second := s.login(t), s.login(t)
	if !s.active(t, server, first.AccessToken) || s.check(t, first.AccessToken) != http.StatusOK {
		t.Error("a good token is refused")
	}
	if err := rp.RevokeToken(t.Context(), party, first.AccessToken, "refresh_token"); err != nil { // a wrong hint
		t.Fatal(err)
	}
	if s.active(t, server, first.AccessToken) || s.check(t, first.AccessToken) != http.StatusUnauthorized {
		t.Error("a revoked token is accepted")
	}
	if err := rp.RevokeToken(t.Context(), party, second.RefreshToken, "refresh_token"); err != nil {
		t.Fatal(err)
	}
	if s.active(t, server, second.AccessToken) {
		t.Error("the session of a revoked refresh token goes on")
	}
	for _, raw := range []string{first.AccessToken, "unknown"} { // 200 all the same
		if err := rp.RevokeToken(t.Context(), party, raw, ""); err != nil {
			t.Errorf("revoking %.8s again: %v", raw, err)
		}
	}
	stranger, err := rp.NewRelyingPartyOIDC(t.Context(), s.url, "orders", secret, s.url+"/callback", []string{"openid"})
	if err != nil {
		t.Fatal(err)
	}
	third := s.login(t)
	if err := rp.RevokeToken(t.Context(), stranger, third.AccessToken, ""); err == nil || s.check(t, third.AccessToken) != http.StatusOK {
		t.Errorf("another client revokes: %v", err)
	}
	wrong, err := rs.NewResourceServerClientCredentials(t.Context(), s.url, "orders", "wrong")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rs.Introspect[*zoidc.IntrospectionResponse](t.Context(), wrong, third.AccessToken); err == nil {
		t.Error("a wrong secret introspects")
	}
}

// TestGoOIDC verifies our tokens with coreos/go-oidc by our JWKS.
func TestGoOIDC(t *testing.T) {
	s := newSite(t)
	provider, err := oidc.NewProvider(context.Background(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: "shop"})
	verified, err := verifier.Verify(t.Context(), s.login(t).AccessToken)
	if err != nil || verified.Subject != "ada" {
		t.Errorf("%+v, %v", verified, err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "other"}).Verify(t.Context(), s.login(t).AccessToken); err == nil {
		t.Error("another audience is accepted")
	}
}
