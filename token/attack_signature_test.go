package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// One test for each row of the attack list that concerns a verifier, in the
// files attack_*_test.go.

// refuseAll fails for every token that v accepts or refuses for another reason.
func refuseAll(t *testing.T, v *Verifier, want error, tokens map[string]string) {
	t.Helper()
	for name, raw := range tokens {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(raw)
			wantError(t, err, want)
			_, err = v.VerifyIgnoringRevocation(raw, Inspection{})
			wantError(t, err, want)
		})
	}
}

func TestAttackNoneAndConfusion(t *testing.T) {
	key := testRSAKey()
	v := newVerifier(t, nil, nil, jwksIssuer(jwksOf(jwk(&key.PublicKey, "", nil)), "RS256"))
	der := must(x509.MarshalPKIXPublicKey(&key.PublicKey))
	confused := func(secret []byte) string {
		return sign(t, "HS256", secret, hsHeader, payload(""))
	}
	p := b64([]byte(payload("")))
	good := sign(t, "RS256", key, `{"alg":"RS256"}`, payload(""))
	refuseAll(t, v, ErrAlgorithm, map[string]string{
		"none":              b64([]byte(`{"alg":"none"}`)) + "." + p + ".AA",
		"None":              b64([]byte(`{"alg":"None"}`)) + "." + p + ".AA",
		"no alg":            b64([]byte(`{"typ":"JWT"}`)) + "." + p + ".AA",
		"public key as PEM": confused(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"public key as DER": confused(der),
		"alg not allowed":   sign(t, "RS384", key, `{"alg":"RS384"}`, payload("")),
	})
	refuseAll(t, v, ErrMalformed, map[string]string{
		"empty signature": b64([]byte(`{"alg":"none"}`)) + "." + p + ".",
		"alg is a number": b64([]byte(`{"alg":1}`)) + "." + p + ".AA",
		"alg is null":     b64([]byte(`{"alg":null}`)) + "." + p + ".AA",
		"ALG":             b64([]byte(`{"alg":"RS256","ALG":"none"}`)) + "." + p + ".AA",
	})
	_, err := v.Verify(good)
	wantError(t, err, nil)
}

func TestAttackKeysInHeaderAreIgnored(t *testing.T) {
	evil := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	v := newVerifier(t, nil, nil, jwksIssuer(jwksOf(jwk(&testECKey().PublicKey, "k", nil)), "ES256"))
	member := must(jwks.Of(&evil.PublicKey, "")).X
	refuseAll(t, v, ErrSignature, map[string]string{
		"jwk": sign(t, "ES256", evil, `{"alg":"ES256","kid":"k","jwk":{"kty":"EC","crv":"P-256","x":"`+member+`"}}`, payload("")),
		"jku": sign(t, "ES256", evil, `{"alg":"ES256","kid":"k","jku":"https://evil.example/jwks"}`, payload("")),
		"x5u": sign(t, "ES256", evil, `{"alg":"ES256","kid":"k","x5u":"https://evil.example/cert"}`, payload("")),
		"x5c": sign(t, "ES256", evil, `{"alg":"ES256","kid":"k","x5c":["AAAA"]}`, payload("")),
	})
}

func TestAttackKeyID(t *testing.T) {
	key := testECKey()
	header := func(kid string) string { return `{"alg":"ES256","kid":` + kid + `}` }
	v := newVerifier(t, nil, nil, jwksIssuer(jwksOf(jwk(&key.PublicKey, "k1", nil)), "ES256"))
	with := func(kid string) string { return sign(t, "ES256", key, header(kid), payload("")) }
	refuseAll(t, v, ErrUnknownKey, map[string]string{
		"path":   with(`"../../dev/null"`),
		"SQL":    with(`"k1' UNION SELECT 'x"`),
		"case":   with(`"K1"`),
		"prefix": with(`"k"`),
		"blank":  with(`"k1 "`),
	})
	refuseAll(t, v, ErrMalformed, map[string]string{
		"too long": with(`"` + strings.Repeat("k", 129) + `"`),
		"empty":    with(`""`),
		"number":   with(`1`),
		"array":    with(`["k1"]`),
		"null":     with(`null`),
		"NUL":      with(`"k1\u0000"`),
		"twice":    with(`"k1","kid":"k1"`),
	})
	got, err := v.Verify(with(`"k1"`))
	wantError(t, err, nil)
	if got.Token.KeyID != "k1" {
		t.Errorf("kid is %q", got.Token.KeyID)
	}
	// A leaked key can't shed its name, or revoking its kid would be useless.
	got, err = v.Verify(sign(t, "ES256", key, `{"alg":"ES256"}`, payload("")))
	wantError(t, err, nil)
	if got.Token.KeyID != "k1" {
		t.Errorf("kid of a token that names none is %q", got.Token.KeyID)
	}
	// Nor is a key without kid found by any.
	v = newVerifier(t, nil, nil, jwksIssuer(jwksOf(jwk(&key.PublicKey, "", nil)), "ES256"))
	_, err = v.Verify(with(`"k1"`))
	wantError(t, err, ErrUnknownKey)
	// Two keys that fit: a token must say which.
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	v = newVerifier(t, nil, nil, jwksIssuer(jwksOf(jwk(&key.PublicKey, "k1", nil), jwk(&other.PublicKey, "k2", nil)), "ES256"))
	_, err = v.Verify(sign(t, "ES256", key, `{"alg":"ES256"}`, payload("")))
	wantError(t, err, ErrUnknownKey)
}

func TestAttackSignatures(t *testing.T) {
	key, rsaKey := testECKey(), testRSAKey()
	v := newVerifier(t, nil, nil, jwksIssuer(jwksOf(jwk(&key.PublicKey, "e", nil), jwk(&rsaKey.PublicKey, "r", nil)), "ES256", "PS256", "RS256"))
	good := sign(t, "ES256", key, `{"alg":"ES256","kid":"e"}`, payload(`"jti":"id"`))
	input := good[:strings.LastIndexByte(good, '.')]

	psInput := b64([]byte(`{"alg":"PS256","kid":"r"}`)) + "." + b64([]byte(payload("")))
	digest := sha256.Sum256([]byte(psInput))
	salted := func(n int) string {
		return psInput + "." + b64(must(rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: n})))
	}
	refuseAll(t, v, ErrSignature, map[string]string{
		"r = s = 0":         input + "." + b64(make([]byte, 64)),
		"too short":         input + ".AAAA",
		"ASN.1":             input + "." + b64(must(ecdsa.SignASN1(rand.Reader, key, digest[:]))),
		"no salt":           salted(0),
		"salt of 20 bytes":  salted(20),
		"longest salt":      salted(rsa.PSSSaltLengthAuto),
		"RS256 under PS256": sign(t, "RS256", rsaKey, `{"alg":"PS256","kid":"r"}`, payload("")),
	})
	_, err := v.Verify(salted(32))
	wantError(t, err, nil)
	refuseAll(t, v, ErrAlgorithm, map[string]string{
		"RSA algorithm, EC key": sign(t, "RS256", rsaKey, `{"alg":"RS256","kid":"e"}`, payload("")),
		"EC algorithm, RSA key": sign(t, "ES256", key, `{"alg":"ES256","kid":"r"}`, payload("")),
	})
	// A key that names its algorithm serves no other.
	only := func(m *jwks.JWK) { m.Algorithm = "PS256" }
	v = newVerifier(t, nil, nil, jwksIssuer(jwksOf(jwk(&rsaKey.PublicKey, "r", only)), "PS256", "RS256"))
	_, err = v.Verify(sign(t, "RS256", rsaKey, `{"alg":"RS256","kid":"r"}`, payload("")))
	wantError(t, err, ErrAlgorithm)
	_, err = v.Verify(salted(32))
	wantError(t, err, nil)
}

func TestAttackMalleableSignatureHasNoSecondIdentity(t *testing.T) {
	key := testECKey()
	n := newNode(atEpoch)
	v := newVerifier(t, n, nil, jwksIssuer(jwksOf(jwk(&key.PublicKey, "e", nil)), "ES256"))
	good := sign(t, "ES256", key, `{"alg":"ES256","kid":"e"}`, payload("")) // no jti
	dot := strings.LastIndexByte(good, '.')
	sig, _ := strict.DecodeSegment(good[dot+1:])
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	twin := good[:dot+1] + b64(sig)

	a, err := v.Verify(good)
	wantError(t, err, nil)
	b, err := v.Verify(twin)
	wantError(t, err, nil)
	if a.Token != b.Token {
		t.Fatalf("two identities: %+v, %+v", a.Token, b.Token)
	}
	n.revoke(t, a.This())
	_, err = v.Verify(twin)
	wantError(t, err, ErrRevoked)
}
