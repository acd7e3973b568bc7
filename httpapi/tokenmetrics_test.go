package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rescind/token"
)

func TestTokenMetrics(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{Issuer: testIssuer, Algorithms: []string{"ES256"}, JWKSURL: down.URL}},
		Checker: newFakeNode(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	r := newRig(t, func(c *Config) {
		c.Verifier = v
		c.Issued = func() token.Stats { return token.Stats{Refreshed: 3, Retried: 2, Reused: 1} }
	})
	end := time.Now().Add(10 * time.Second)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !strings.Contains(scrape(t, r), `rescind_jwks_failures_total{issuer="`+testIssuer+`"} 1`) {
		if time.Now().After(end) {
			t.Fatal("the failed fetch does not show")
		}
		<-poll.C
	}
	wantLines(t, scrape(t, r), `rescind_jwks_age_seconds{issuer="`+testIssuer+`"} +Inf`, `rescind_refreshes_total 3`, `rescind_refresh_retries_total 2`, `rescind_refresh_reuses_total 1`)
	if strings.Contains(scrape(t, newRig(t)), "rescind_refresh") {
		t.Error("refreshes are counted where there is no issuer")
	}
}
