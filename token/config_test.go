package token

import (
	"strings"
	"testing"
	"time"

	"rescind"
)

func TestConfigMistakesAreExplained(t *testing.T) {
	good := VerifierConfig{Issuers: []IssuerConfig{hsIssuer()}, Checker: newNode(atEpoch)}
	issuer := func(change func(*IssuerConfig)) func(*VerifierConfig) {
		return func(c *VerifierConfig) {
			ic := hsIssuer()
			change(&ic)
			c.Issuers = []IssuerConfig{ic}
		}
	}
	for name, c := range map[string]struct {
		change func(*VerifierConfig)
		want   string
	}{
		"no checker":     {func(c *VerifierConfig) { c.Checker = nil }, "no Checker"},
		"contradiction":  {func(c *VerifierConfig) { c.DangerouslyIgnoreRevocations = true }, "there is a Checker"},
		"leeway":         {func(c *VerifierConfig) { c.Leeway = time.Minute + 1 }, "Leeway"},
		"lifetime":       {func(c *VerifierConfig) { c.MaxLifetime = rescind.MaxLifetimeLimit + 1 }, "MaxLifetime"},
		"negative size":  {func(c *VerifierConfig) { c.MaxTokenBytes = -1 }, "MaxTokenBytes"},
		"same issuer":    {func(c *VerifierConfig) { c.Issuers = []IssuerConfig{hsIssuer(), hsIssuer()} }, "twice"},
		"no iss":         {issuer(func(c *IssuerConfig) { c.Issuer = "" }), "issuer"},
		"no algorithms":  {issuer(func(c *IssuerConfig) { c.Algorithms = nil }), "algorithms is empty"},
		"none":           {issuer(func(c *IssuerConfig) { *c = jwksIssuer(jwksOf(), "None") }), "never allowed"},
		"unknown alg":    {issuer(func(c *IssuerConfig) { *c = jwksIssuer(jwksOf(), "RS1") }), "not supported"},
		"HS without":     {issuer(func(c *IssuerConfig) { *c = jwksIssuer(jwksOf(), "HS256") }), "go with a secret"},
		"secret with ES": {issuer(func(c *IssuerConfig) { c.Algorithms = []string{"HS256", "ES256"} }), "go with a secret"},
		"two sources":    {issuer(func(c *IssuerConfig) { c.JWKSFile = "x" }), "exactly one source"},
		"no source":      {issuer(func(c *IssuerConfig) { c.HS256Secret = nil }), "exactly one source"},
		"refresh type":   {issuer(func(c *IssuerConfig) { c.Types = []string{"RT+JWT"} }), "no access token"},
		"plain http": {issuer(func(c *IssuerConfig) {
			*c = IssuerConfig{Issuer: "i", Algorithms: []string{"ES256"}, JWKSURL: "http://issuer.example/k"}
		}), "https"},
		"no such file":    {issuer(func(c *IssuerConfig) { c.HS256Secret, c.HS256SecretFile = nil, "/does/not/exist" }), "hs256-secret-file"},
		"empty JWKS":      {issuer(func(c *IssuerConfig) { *c = jwksIssuer([]byte(`{"keys":[]}`), "ES256") }), "no key"},
		"JWKS of garbage": {issuer(func(c *IssuerConfig) { *c = jwksIssuer([]byte(`hello`), "ES256") }), "not a JWK Set"},
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			c.change(&config)
			v, err := NewVerifier(t.Context(), config)
			if err == nil {
				v.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not mention %q", err, c.want)
			}
		})
	}
}

func TestVerifierWithoutRevocationsMustBeAskedFor(t *testing.T) {
	v := newVerifier(t, nil, func(c *VerifierConfig) { c.Checker, c.DangerouslyIgnoreRevocations = nil, true }, hsIssuer())
	_, err := v.Verify(signHS(hsHeader, payload("")))
	wantError(t, err, nil)
}
