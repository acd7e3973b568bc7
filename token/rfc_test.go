package token

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// The examples of RFC 7520 (JOSE cookbook), RFC 7797 and RFC 8037: the keys and
// the results, without the steps in between.
//
//go:embed testdata/jose.json
var joseExamples []byte

type joseExample struct {
	RFC     int            `json:"rfc"`
	Section string         `json:"section"`
	What    string         `json:"what"` // jws, jwe or jwk
	Key     jsontext.Value `json:"key"`  // public where there is a public part
	Raw     string         `json:"raw"`
}

func (e joseExample) String() string { return fmt.Sprintf("RFC %d section %s", e.RFC, e.Section) }

func examples(t *testing.T) []joseExample {
	t.Helper()
	var all []joseExample
	if err := json.Unmarshal(joseExamples, &all); err != nil || len(all) != 33 {
		t.Fatalf("%d examples, %v", len(all), err)
	}
	return all
}

// verifies reports whether the signature of an example is good, and whether it
// still is when a bit of it is changed.
func (e joseExample) verifies(t *testing.T) (good, changed bool) {
	t.Helper()
	c, err := splitCompact(e.Raw, DefaultMaxTokenBytes)
	wantError(t, err, nil)
	h, err := parseHeader(c.header, DefaultMaxDepth)
	wantError(t, err, nil)
	a := jwks.Algorithms[h.alg]
	var key any
	if a.Type == "oct" {
		var m struct {
			K string `json:"k"`
		}
		if err := json.Unmarshal(e.Key, &m); err != nil {
			t.Fatal(err)
		}
		secret, _ := strict.DecodeSegment(m.K)
		if err := jwks.CheckSecret(secret, map[string]*jwks.Algorithm{h.alg: a}); err != nil {
			t.Fatal(err)
		}
		key = secret
	} else {
		set, err := jwks.Parse([]byte(`{"keys":[`+string(e.Key)+`]}`), false)
		if err != nil {
			t.Fatal(err)
		}
		k, err := set.Find(h.kid, h.alg, a)
		if err != nil {
			t.Fatal(err)
		}
		key = k.Public
	}
	good = a.Method.Verify(c.signingInput, c.signature, key) == nil
	c.signature[7] ^= 4
	return good, a.Method.Verify(c.signingInput, c.signature, key) == nil
}

// Signatures in compact form verify, as the RFC says; the forms that a JWT can't
// have are refused, although the RFC defines them for JWS.
func TestRFCExamplesOfSignatures(t *testing.T) {
	compact := map[string]bool{"7520 4.1": true, "7520 4.2": true, "7520 4.3": true, "7520 4.4": true, "7520 6 (inner)": true, "8037 A.4": true}
	v := newVerifier(t, nil, nil, hsIssuer())
	seen := 0
	for _, e := range examples(t) {
		if e.What != "jws" {
			continue
		}
		if !compact[fmt.Sprint(e.RFC, " ", e.Section)] { // detached, JSON or not encoded
			_, err := v.Verify(e.Raw)
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%v: %v", e, err)
			}
			continue
		}
		seen++
		if good, changed := e.verifies(t); !good || changed {
			t.Errorf("%v: the signature verifies: %v, changed: %v", e, good, changed)
		}
	}
	if seen != len(compact) {
		t.Errorf("%d signatures verified, want %d", seen, len(compact))
	}
}

// The nested example of RFC 7520 section 6 holds a JWT, which is accepted as a
// whole until it expires.
func TestRFC7520Section6InnerToken(t *testing.T) {
	for _, e := range examples(t) {
		if e.Section != "6 (inner)" {
			continue
		}
		now := time.Unix(1300819380, 0).Add(-time.Hour)
		issuer := IssuerConfig{Issuer: "hobbiton.example", Algorithms: []string{"PS256"}, JWKS: []byte(`{"keys":[` + string(e.Key) + `]}`)}
		v := newVerifier(t, nil, func(c *VerifierConfig) { c.Now = func() time.Time { return now } }, issuer)
		got, err := v.Verify(e.Raw)
		wantError(t, err, nil)
		if got.Token.KeyID != "hobbiton.example" || got.Type != TypeJWT {
			t.Errorf("%+v", got)
		}
		now = now.Add(2 * time.Hour)
		_, err = v.Verify(e.Raw)
		wantError(t, err, ErrExpired)
	}
}

// The keys of RFC 7520 section 3: public ones are taken, private and symmetric
// ones are refused in a set of public keys.
func TestRFCExamplesOfKeys(t *testing.T) {
	want := map[string]string{"3.1": "", "3.2": "private", "3.3": "", "3.4": "private", "3.5": "symmetric", "3.6": "symmetric"}
	seen := 0
	for _, e := range examples(t) {
		reason, ok := want[e.Section]
		if e.What != "jwk" || !ok {
			continue
		}
		seen++
		_, err := jwks.Parse([]byte(`{"keys":[`+string(e.Key)+`]}`), false)
		if (err == nil) != (reason == "") || err != nil && !strings.Contains(err.Error(), reason) {
			t.Errorf("%v: %v", e, err)
		}
	}
	if seen != len(want) {
		t.Errorf("%d keys, want %d", seen, len(want))
	}
}

// Of the encryptions only dir, RSA-OAEP-256 and ECDH-ES with AES-GCM are taken,
// so each example but section 5.6 is refused: RSA1_5 and RSA-OAEP with SHA-1, key
// wrapping, passwords, CBC, compression, JSON. TestRFC7520Encryption decrypts 5.6,
// which holds no token.
func TestRFCExamplesOfEncryption(t *testing.T) {
	keys := []DecryptionKey{
		{Algorithm: "RSA-OAEP-256", Encryption: "A256GCM", Key: testRSAKey()},
		{Algorithm: "ECDH-ES", Encryption: "A128GCM", Key: testECKey()},
		{Algorithm: "dir", Encryption: "A128GCM", Key: []byte("0123456789abcdef")},
	}
	v := newVerifier(t, nil, nil, withKeys(keys...))
	seen := 0
	for _, e := range examples(t) {
		if e.What != "jwe" {
			continue
		}
		seen++
		_, err := v.Verify(e.Raw)
		if _, refused := errors.AsType[*Error](err); !refused {
			t.Errorf("%v: %v", e, err)
		}
	}
	if seen != 15 {
		t.Errorf("%d examples", seen)
	}
}

// RFC 7519 section 6.1 and RFC 7515 appendix A.5: a token without a signature is
// one, and must not be accepted where signatures are asked for (RFC 8725
// section 3.2).
func TestRFC7519UnsecuredToken(t *testing.T) {
	issuer := IssuerConfig{Issuer: "joe", Algorithms: []string{"ES256"}, JWKS: []byte(`{"keys":[` + rfcESKey + `]}`)}
	v := newVerifier(t, nil, func(c *VerifierConfig) { c.Now = func() time.Time { return time.Unix(1300815780, 0) } }, issuer)
	_, err := v.Verify("eyJhbGciOiJub25lIn0." + rfcClaims + ".")
	wantError(t, err, ErrMalformed)
	_, err = v.Verify("eyJhbGciOiJub25lIn0." + rfcClaims + ".AA")
	wantError(t, err, ErrAlgorithm)
}
