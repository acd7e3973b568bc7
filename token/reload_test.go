package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Issuers and the files of their keys are replaced while tokens are verified;
// what was remembered under the old ones is not trusted any more.
func TestSetIssuers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	old, next := testECKey(), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	write := func(key *ecdsa.PrivateKey) {
		if err := os.WriteFile(path, jwksOf(jwk(&key.PublicKey, "k", nil)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(old)
	file := IssuerConfig{Issuer: testIssuer, Audience: []string{testAudience}, Algorithms: []string{"ES256"}, JWKSFile: path}
	other := hsIssuer()
	other.Issuer = "https://other.example"
	v := newVerifier(t, nil, nil, file, other)
	raw := sign(t, "ES256", old, `{"alg":"ES256","kid":"k"}`, payload(""))
	verify := func(raw string, want error) {
		t.Helper()
		_, err := v.Verify(raw)
		wantError(t, err, want)
	}
	verify(raw, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if _, err := v.Verify(raw); err != nil {
					t.Errorf("while the same issuers are set again: %v", err)
				}
			}
		})
	}
	for range 20 {
		if err := v.SetIssuers([]IssuerConfig{file, other}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()

	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.SetIssuers([]IssuerConfig{file}); err == nil {
		t.Error("a broken file is accepted")
	}
	verify(raw, nil) // the old issuers stay
	write(next)
	if err := v.SetIssuers([]IssuerConfig{file, other}); err != nil {
		t.Fatal(err)
	}
	verify(raw, ErrSignature)
	raw = sign(t, "ES256", next, `{"alg":"ES256","kid":"k"}`, payload(""))
	verify(raw, nil)
	if err := v.SetIssuers([]IssuerConfig{other}); err != nil {
		t.Fatal(err)
	}
	verify(raw, ErrUnknownIssuer)
	if err := v.SetIssuers([]IssuerConfig{other, other}); err == nil {
		t.Error("an issuer is accepted twice")
	}
	v.Close()
	if err := v.SetIssuers([]IssuerConfig{file}); err == nil {
		t.Error("a closed verifier takes issuers")
	}
}

// Keys from a URL that stays need no second fetch; those of one that goes are
// fetched no more.
func TestSetIssuersKeepsFetchedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := testECKey()
		o := &origin{body: jwksOf(jwk(&key.PublicKey, "k", nil)), code: http.StatusOK}
		v := remoteVerifier(t, o, io.Discard)
		synctest.Wait()
		same := IssuerConfig{Issuer: testIssuer, Algorithms: []string{"ES256"}, JWKSURL: "https://issuer.example/jwks?secret=CANARY"}
		raw := freshToken(t, key, "k")
		if err := v.SetIssuers([]IssuerConfig{same, {Issuer: "https://second.example", Algorithms: []string{"ES256"}, JWKSURL: "https://second.example/jwks"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(raw); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := o.count(); got != 2 {
			t.Errorf("%d fetches, want one of each URL", got)
		}
		if err := v.SetIssuers([]IssuerConfig{same}); err != nil {
			t.Fatal(err)
		}
		before := o.count()
		advance(30 * time.Minute)
		synctest.Wait()
		if got := o.count() - before; got > 3 {
			t.Errorf("%d fetches in half an hour: the URL that is gone is still asked", got)
		}
	})
}
