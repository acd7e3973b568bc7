package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rescind"
	"rescind/token/internal/fetch"
	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// origin is an issuer's web server without a network.
type origin struct {
	mu    sync.Mutex
	body  []byte
	fail  error
	code  int
	calls int
}

func (o *origin) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	if o.fail != nil {
		return nil, o.fail
	}
	return &http.Response{StatusCode: o.code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(o.body)), Request: r}, nil
}

func (o *origin) serve(body []byte, code int, fail error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.body, o.code, o.fail = body, code, fail
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls
}

// remoteVerifier must run in a synctest bubble; its clock is the bubble's.
func remoteVerifier(t *testing.T, o *origin, log io.Writer) *Verifier {
	t.Helper()
	v, err := NewVerifier(t.Context(), VerifierConfig{
		Issuers: []IssuerConfig{{Issuer: testIssuer, Algorithms: []string{"ES256"}, JWKSURL: "https://issuer.example/jwks?secret=CANARY"}},
		Checker: newNode(time.Now), HTTPClient: &http.Client{Transport: o},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// advance moves the bubble's clock.
func advance(d time.Duration) { <-time.After(d) }

// freshToken is issued now, on the bubble's clock.
func freshToken(t *testing.T, key *ecdsa.PrivateKey, kid string) string {
	t.Helper()
	now := rescind.MillisOf(time.Now())
	p := `{"iss":"` + testIssuer + `","iat":` + string(strict.NumericDate(now)) + `,"exp":` + string(strict.NumericDate(now.Add(time.Hour))) + `}`
	return sign(t, "ES256", key, `{"alg":"ES256","kid":"`+kid+`"}`, p)
}

func TestRemoteKeysArriveInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := &origin{fail: errors.New("no route to host")}
		v := remoteVerifier(t, o, &log)
		raw := freshToken(t, testECKey(), "k")
		synctest.Wait()
		_, err := v.Verify(raw)
		wantError(t, err, ErrNotReady)
		wantError(t, err, ErrUnknownKey)
		if Status(err) != 503 {
			t.Errorf("status %d; an issuer that is down must not log anybody out", Status(err))
		}
		advance(20 * time.Minute)
		if n := o.count(); n < 20 || n > 40 {
			t.Errorf("%d attempts in 20 minutes", n)
		}
		o.serve(jwksOf(jwk(&testECKey().PublicKey, "k", nil)), 200, nil)
		advance(fetch.RetryMax + fetch.RetryMax/5)
		synctest.Wait()
		_, err = v.Verify(freshToken(t, testECKey(), "k"))
		wantError(t, err, nil)
		v.Close()
		v.Close()
		if said := log.String(); !strings.Contains(said, "no route to host") || !strings.Contains(said, "again") || strings.Contains(said, "CANARY") {
			t.Errorf("log: %s", said)
		}
	})
}

func TestRemoteKeepsTheLastGoodSet(t *testing.T) {
	poisoned := jwksOf(jwk(&testECKey().PublicKey, "k", nil), jwk([]byte(testSecret), "evil", nil))
	for name, c := range map[string]struct {
		body []byte
		code int
		fail error
	}{
		"down":     {nil, 0, errors.New("refused")},
		"error":    {nil, 500, nil},
		"empty":    {[]byte(`{"keys":[]}`), 200, nil},
		"poisoned": {poisoned, 200, nil},
		"a page":   {[]byte("<html>"), 200, nil},
		"huge":     {make([]byte, jwks.MaxBytes+1), 200, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &origin{body: jwksOf(jwk(&testECKey().PublicKey, "k", nil)), code: 200}
				v := remoteVerifier(t, o, io.Discard)
				synctest.Wait()
				o.serve(c.body, c.code, c.fail)
				advance(time.Hour)
				_, err := v.Verify(freshToken(t, testECKey(), "k"))
				wantError(t, err, nil)
				v.Close()
			})
		})
	}
}

func TestRemoteLearnsOfARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{body: jwksOf(jwk(&testECKey().PublicKey, "k1", nil)), code: 200}
		v := remoteVerifier(t, o, io.Discard)
		advance(time.Minute)
		second := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		o.serve(jwksOf(jwk(&testECKey().PublicKey, "k1", nil), jwk(&second.PublicKey, "k2", nil)), 200, nil)

		old := freshToken(t, testECKey(), "k1")
		_, err := v.Verify(old)
		wantError(t, err, nil)
		raw := freshToken(t, second, "k2")
		_, err = v.Verify(raw)
		wantError(t, err, ErrNotReady) // it may be good: 503, not 401
		synctest.Wait()
		_, err = v.Verify(raw) // the client's retry
		wantError(t, err, nil)

		// A withdrawn key is forgotten with the next set, from the cache too.
		o.serve(jwksOf(jwk(&second.PublicKey, "k2", nil)), 200, nil)
		advance(jwks.RefreshEvery + jwks.RefreshEvery/5)
		synctest.Wait()
		_, err = v.Verify(old)
		wantError(t, err, ErrUnknownKey)
		if errors.Is(err, ErrNotReady) {
			t.Error("a set newer than the token lacks its key; that is an answer")
		}
		v.Close()
	})
}

func TestAttackFloodOfUnknownKids(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{body: jwksOf(jwk(&testECKey().PublicKey, "k", nil)), code: 200}
		v := remoteVerifier(t, o, io.Discard)
		synctest.Wait()
		const minutes = 2
		for range minutes * 120 {
			_, err := v.Verify(freshToken(t, testECKey(), rand.Text()))
			wantError(t, err, ErrUnknownKey)
			advance(500 * time.Millisecond)
		}
		if n := o.count(); n > minutes*6+2 {
			t.Errorf("%d fetches in %d minutes", n, minutes)
		}
		_, err := v.Verify(freshToken(t, testECKey(), "k"))
		wantError(t, err, nil)
		v.Close()
	})
}

func TestUnchangedKeysKeepTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{body: jwksOf(jwk(&testECKey().PublicKey, "k", nil)), code: 200}
		v := remoteVerifier(t, o, io.Discard)
		synctest.Wait()
		raw := freshToken(t, testECKey(), "k")
		_, err := v.Verify(raw)
		wantError(t, err, nil)
		advance(3 * jwks.RefreshEvery)
		if v.cache.get(raw) == nil {
			t.Error("forgotten although the keys are the same")
		}
		v.Close()
	})
}

func TestCloseWhileFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		v, err := NewVerifier(t.Context(), VerifierConfig{
			Issuers: []IssuerConfig{{Issuer: testIssuer, Algorithms: []string{"ES256"}, JWKSURL: "http://127.0.0.1:1/jwks"}},
			Checker: newNode(time.Now), HTTPClient: &http.Client{Transport: hang},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		v.Close() // returns, or the bubble deadlocks
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The last good set stays, and how old it is shows.
func TestKeySourcesTellTheAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{fail: errors.New("down")}
		v := remoteVerifier(t, o, io.Discard)
		synctest.Wait()
		if got := v.KeySources(); len(got) != 1 || got[0].Keys != 0 || got[0].Failures != 1 || strings.Contains(got[0].URL, "CANARY") {
			t.Errorf("%+v", got)
		}
		o.serve(jwksOf(jwk(&testECKey().PublicKey, "k", nil)), http.StatusOK, nil)
		advance(5 * time.Second)
		synctest.Wait()
		o.serve(nil, 0, errors.New("down"))
		advance(time.Hour)
		synctest.Wait()
		got := v.KeySources()[0]
		if got.Issuer != testIssuer || got.Keys != 1 || got.Age < time.Hour || got.Age > time.Hour+5*time.Second || got.Failures < 10 {
			t.Errorf("%+v", got)
		}
	})
}
