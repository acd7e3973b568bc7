package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func states(keys *KeySet, now time.Time) string {
	var all []string
	for _, k := range keys.Keys(now) {
		all = append(all, string(k.State))
	}
	return strings.Join(all, " ")
}

// The life of a key: published, signing, verifying, gone.
func TestRotationFollowsTheSchedule(t *testing.T) {
	keys := must(GenerateKeySet())
	r := Rotation{Every: 24 * time.Hour, Ahead: time.Hour, Keep: 3 * 24 * time.Hour}
	now := epoch
	first := keys.signer(0).kid
	want := func(s string) {
		t.Helper()
		if got := states(keys, now); got != s {
			t.Fatalf("%v after the start: %s, want %s", now.Sub(epoch), got, s)
		}
	}
	due := func(changes bool) {
		t.Helper()
		if got, err := keys.RotateDue(now, r); err != nil || got != changes {
			t.Fatalf("%v after the start: changed %v, %v", now.Sub(epoch), got, err)
		}
	}
	want("signs")
	due(true) // it has always signed
	want("next signs")
	due(false)
	if b := must(keys.JWKS()); bytes.Count(b, []byte(`"kid"`)) != 2 {
		t.Errorf("the next key is not published: %s", b)
	}
	now = now.Add(time.Hour)
	want("signs verifies")
	if keys.current().kid == first {
		t.Error("the old key signs on")
	}
	now = now.Add(22 * time.Hour)
	due(false)
	now = now.Add(time.Hour)
	due(true)
	want("next signs verifies")
	now = now.Add(2*24*time.Hour + time.Hour + 2*time.Minute) // 3 days after the first stopped signing, and the margin
	due(true)
	if strings.Contains(string(must(keys.JWKS())), first) {
		t.Error("a key without living tokens is still published")
	}
}

func TestRotationRefusesNonsense(t *testing.T) {
	keys := must(GenerateKeySet())
	for _, r := range []Rotation{{Every: -1}, {Ahead: -1}, {Keep: -1}, {Every: time.Hour, Ahead: time.Hour}} {
		if _, err := keys.RotateDue(epoch, r); err == nil {
			t.Errorf("%+v is accepted", r)
		}
	}
}

func TestKeyTimesSurviveAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := must(GenerateKeySet())
	must(keys.RotateNow(epoch, Rotation{Ahead: time.Hour}))
	if err := keys.Save(path); err != nil {
		t.Fatal(err)
	}
	other := must(GenerateKeySet())
	if err := other.Reload(path); err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprint(keys.Keys(epoch)), fmt.Sprint(other.Keys(epoch)); a != b {
		t.Errorf("%s became %s", a, b)
	}
	if err := other.Reload(path + ".none"); err == nil || states(other, epoch) != "next signs" {
		t.Errorf("after a failed reload: %v, %s", err, states(other, epoch))
	}
}

func TestDropALeakedKey(t *testing.T) {
	keys := must(GenerateKeySet())
	leaked := keys.current().kid
	must(keys.RotateNow(epoch, Rotation{Ahead: time.Hour}))
	if err := keys.Drop(leaked, epoch); err != nil {
		t.Fatal(err)
	}
	if got := states(keys, epoch); got != "next signs" || keys.named(leaked) != nil {
		t.Errorf("%s", got)
	}
	if err := keys.Drop(leaked, epoch); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("twice: %v", err)
	}
	next := keys.Keys(epoch)[0].KeyID
	if err := keys.Drop(next, epoch); err != nil || states(keys, epoch) != "signs" {
		t.Errorf("the next: %v, %s", err, states(keys, epoch))
	}
}

// kms is a signer that gives away no private key.
type kms struct{ crypto.Signer }

func TestKeysInAKMS(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	old, next := kms{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}, kms{must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	keys := must(NewKeySet(secret, SignerKey{Signer: old, KeyID: "old"}))
	w := newWorld(t, func(c *SignerConfig) { c.Keys = keys })
	pair := must(w.issuer.Login(t.Context(), "alice", LoginOptions{}))
	first := must(w.issuer.Refresh(t.Context(), pair.RefreshToken))
	if err := keys.SetKeys(secret, SignerKey{Signer: old, KeyID: "old"}, SignerKey{Signer: next, From: w.now}); err != nil {
		t.Fatal(err)
	}
	again := must(w.issuer.Refresh(t.Context(), pair.RefreshToken)) // a retry, with the new key
	a, b := must(w.issuer.verifier.VerifyIgnoringRevocation(first.AccessToken, Inspection{})), must(w.issuer.verifier.VerifyIgnoringRevocation(again.AccessToken, Inspection{}))
	if a.Token.ID != b.Token.ID || a.Token.KeyID != "old" || len(b.Token.KeyID) != 43 {
		t.Errorf("%+v and %+v", a.Token, b.Token)
	}
	if err := keys.Save(filepath.Join(t.TempDir(), "keys")); err == nil {
		t.Error("saved a key that is not here")
	}
	_, ed := must2(ed25519.GenerateKey(rand.Reader))
	for name, err := range map[string]error{
		"short secret": keys.SetKeys(secret[:31], SignerKey{Signer: old}),
		"no keys":      keys.SetKeys(secret),
		"no signer":    keys.SetKeys(secret, SignerKey{}),
		"Ed25519":      keys.SetKeys(secret, SignerKey{Signer: ed}),
		"P-384":        keys.SetKeys(secret, SignerKey{Signer: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))}),
		"same twice":   keys.SetKeys(secret, SignerKey{Signer: old}, SignerKey{Signer: old}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// broken is a KMS that answers with what is no signature.
type broken struct {
	crypto.Signer
	answer []byte
}

func (b broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	if b.answer == nil {
		return nil, errors.New("KMS out of reach")
	}
	return b.answer, nil
}

func TestBrokenKMSFailsALogin(t *testing.T) {
	for _, answer := range [][]byte{nil, {}, []byte("garbage"), {0x30, 6, 2, 1, 0, 2, 1, 0}, {0x30, 6, 2, 1, 0xff, 2, 1, 1}} {
		keys := must(NewKeySet(make([]byte, 32), SignerKey{Signer: broken{testECKey(), answer}}))
		w := newWorld(t, func(c *SignerConfig) { c.Keys = keys })
		if pair, err := w.issuer.Login(t.Context(), "alice", LoginOptions{}); err == nil {
			t.Errorf("%x: %v", answer, pair)
		}
	}
}

// served serves a JWK Set without a network.
type served func() ([]byte, error)

func (s served) RoundTrip(*http.Request) (*http.Response, error) {
	b, err := s()
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(b))}, err
}

// TestRotationUnderLoadLogsNobodyOut lets clients refresh and use their tokens,
// on the issuer's node and on one that fetches the keys, through two days with a
// new key every three hours and the old ones dropped.
func TestRotationUnderLoadLogsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessionLife = 5 * time.Hour
		rotation := Rotation{Every: 3 * time.Hour, Ahead: 15 * time.Minute, Keep: sessionLife}
		keys := must(GenerateKeySet())
		n := newNode(time.Now)
		issuer := must(NewIssuer(SignerConfig{
			Issuer: testIssuer, Audience: []string{testAudience}, Keys: keys, Checker: n, Revoker: n, SessionLifetime: sessionLife,
		}))
		local := must(NewVerifier(t.Context(), VerifierConfig{Issuers: []IssuerConfig{issuer.Trust()}, Checker: n}))
		remote := must(NewVerifier(t.Context(), VerifierConfig{
			Issuers: []IssuerConfig{{Issuer: testIssuer, Audience: []string{testAudience}, Algorithms: []string{"ES256"}, JWKSURL: "https://issuer.example/jwks.json", AuthTime: true}},
			Checker: n, HTTPClient: &http.Client{Transport: served(keys.JWKS)},
		}))
		defer local.Close()
		defer remote.Close()
		advance(time.Second) // the keys are there
		end := time.Now().Add(48 * time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() {
			for time.Now().Before(end) {
				if _, err := keys.RotateDue(time.Now(), rotation); err != nil {
					t.Error(err)
				}
				advance(time.Minute)
			}
		})
		used := make(chan string, 1<<16)
		for c := range 8 {
			idle := time.Duration(0)
			if c == 0 {
				idle = 4 * time.Hour // its refresh token outlives the key that signed it
			}
			wg.Go(func() { runClient(t, issuer, []*Verifier{local, remote}, end, idle, used) })
		}
		wg.Wait()
		close(used)
		kids := make(map[string]bool)
		for kid := range used {
			kids[kid] = true
		}
		if len(kids) < 15 || len(keys.Keys(time.Now())) > 4 {
			t.Errorf("%d keys were used, %d are left: the test has not rotated", len(kids), len(keys.Keys(time.Now())))
		}
		if s := issuer.Stats(); s.Reused != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// runClient logs in anew at the hard end of each session only.
func runClient(t *testing.T, issuer *Issuer, verifiers []*Verifier, end time.Time, idle time.Duration, used chan<- string) {
	for time.Now().Before(end) {
		pair, err := issuer.Login(t.Context(), "alice", LoginOptions{})
		if err != nil {
			t.Errorf("login: %v", err)
			return
		}
		for hard := time.Now().Add(5*time.Hour - 20*time.Minute); time.Now().Before(hard); {
			for range 3 {
				for i, v := range verifiers {
					got, err := v.Verify(pair.AccessToken)
					if err != nil {
						t.Errorf("logged out at verifier %d: %v", i, err)
						return
					}
					used <- got.Token.KeyID
				}
				advance(4 * time.Minute)
			}
			if advance(idle); !time.Now().Before(hard) {
				break
			}
			if pair, err = issuer.Refresh(t.Context(), pair.RefreshToken); err != nil {
				t.Errorf("logged out: %v", err)
				return
			}
		}
	}
}

// TestRevokedKeyIsRefusedEverywhere: tokens of a leaked key are revoked on every
// node that hears of it, also where the key is still trusted, and those of the
// next key are not.
func TestRevokedKeyIsRefusedEverywhere(t *testing.T) {
	w := newWorld(t, nil)
	before := w.login(t, LoginOptions{})
	if _, err := w.verifier.Verify(before.AccessToken); err != nil {
		t.Fatal(err)
	}
	leaked := w.issuer.config.Keys.current().kid
	if err := w.issuer.RevokeKey(t.Context(), leaked); err != nil {
		t.Fatal(err)
	}
	_, err := w.verifier.Verify(before.AccessToken)
	wantError(t, err, ErrRevoked)
	_, err = w.issuer.Refresh(t.Context(), before.RefreshToken)
	wantError(t, err, ErrRevoked)

	must(w.issuer.config.Keys.RotateNow(w.now, Rotation{}))
	if _, err := w.verifier.Verify(w.login(t, LoginOptions{}).AccessToken); err != nil {
		t.Errorf("by the next key: %v", err)
	}
}
