package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"rescind/token/jwks"
)

func TestAttackPublicKeyAsSecretIsRefusedAtLoad(t *testing.T) {
	der := must(x509.MarshalPKIXPublicKey(&testRSAKey().PublicKey))
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	lines := strings.Split(strings.TrimSpace(string(block)), "\n")
	for name, secret := range map[string]string{
		"PEM":                string(block),
		"PEM after blanks":   " \n\t" + string(block),
		"DER":                string(der),
		"base64 of DER":      strings.Join(lines[1:len(lines)-1], "\n"),
		"JWK":                ` {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
		"SSH":                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKuY7zK8Ts2H5P5vXz",
		"short":              "0123456789abcdefghijklmnopqrstu",
		"repeated":           strings.Repeat("secret", 10),
		"jwt.io":             "a-string-secret-at-least-256-bits-long",
		"too short for 512":  testSecret,
		"empty after a file": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := hsIssuer()
			c.HS256Secret = []byte(secret)
			if strings.HasSuffix(name, "512") {
				c.Algorithms = []string{"HS256", "HS512"}
			}
			_, err := NewVerifier(t.Context(), VerifierConfig{Issuers: []IssuerConfig{c}, Checker: newNode(atEpoch)})
			if err == nil || !strings.Contains(err.Error(), "HMAC secret") {
				t.Fatalf("error is %v", err)
			}
			if strings.Contains(err.Error(), secret[:len(secret)/2+1]) {
				t.Error("the error repeats the secret")
			}
		})
	}
}

func TestAttackKeyForAnotherPurpose(t *testing.T) {
	public := &testECKey().PublicKey
	for name, change := range map[string]func(*jwks.JWK){
		"use enc":               func(m *jwks.JWK) { m.Use = "enc" },
		"key_ops sign":          func(m *jwks.JWK) { m.Operations = []string{"sign"} },
		"key_ops encrypt":       func(m *jwks.JWK) { m.Operations = []string{"encrypt", "wrapKey"} },
		"alg of encryption":     func(m *jwks.JWK) { m.Algorithm = "ECDH-ES" },
		"curve not supported":   func(m *jwks.JWK) { m.Curve = "secp256k1" },
		"key type of no name":   func(m *jwks.JWK) { m.Type = "AKP" },
		"alg not supported yet": func(m *jwks.JWK) { m.Algorithm = "ES256K" },
	} {
		t.Run(name, func(t *testing.T) {
			set := jwksOf(jwk(public, "other", change), jwk(public, "mine", nil))
			if _, err := jwks.Parse(set, false); !errors.Is(err, jwks.ErrForeign) {
				t.Errorf("in a file: error is %v", err)
			}
			s, err := jwks.Parse(set, true)
			if err != nil || s.Len() != 1 || s.ByKID("mine") == nil {
				t.Errorf("from a URL: %v, error %v", s, err)
			}
		})
	}
}

func TestAttackWeakAndContradictoryKeys(t *testing.T) {
	ec, rs := testECKey(), testRSAKey()
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	small := rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 1024), big.NewInt(1)), E: 65537}
	even := rsa.PublicKey{N: rs.N, E: 65536}
	evenN := rsa.PublicKey{N: new(big.Int).Lsh(rs.N, 1), E: 65537}
	large := func(bits uint, e int) []byte {
		n := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1))
		return jwksOf(jwk(&rsa.PublicKey{N: n, E: e}, "k", nil))
	}
	roca := rsa.PublicKey{N: rocaModulus(), E: 65537}
	as := func(change func(*jwks.JWK)) []byte { return jwksOf(jwk(&ec.PublicKey, "k", change)) }
	for name, c := range map[string]struct {
		set  []byte
		want string
	}{
		"RSA of 1024 bits":     {jwksOf(jwk(&small, "k", nil)), "1024 bits"},
		"RSA of 16384 bits":    {large(16384, 65537), "8192"},
		"RSA of 8193 bits":     {large(8193, 65537), "8192"},
		"large, huge exponent": {large(8192, 1<<31-1), "65537"},
		"4097, 65539":          {large(4097, 65539), "65537"},
		"even exponent":        {jwksOf(jwk(&even, "k", nil)), "exponent"},
		"even modulus":         {jwksOf(jwk(&evenN, "k", nil)), "even"},
		"ROCA":                 {jwksOf(jwk(&roca, "k", nil)), "ROCA"},
		"exponent of 1":        {jwksOf(jwk(&rs.PublicKey, "k", func(m *jwks.JWK) { m.E = "AQ" })), "at least 3"},
		"exponent overflows":   {jwksOf(jwk(&rs.PublicKey, "k", func(m *jwks.JWK) { m.E = "AQAAAAAAAQAB" })), "32 bits"},
		"duplicate kid":        {jwksOf(jwk(&ec.PublicKey, "k", nil), jwk(&rs.PublicKey, "k", nil)), "same kid"},
		"private EC":           {jwksOf(jwk(ec, "k", nil)), "private"},
		"private RSA":          {jwksOf(jwk(rs, "k", nil)), "private"},
		"private OKP":          {jwksOf(jwk(ed, "k", nil)), "private"},
		"symmetric":            {jwksOf(jwk([]byte(testSecret), "k", nil)), "symmetric"},
		"symmetric, disguised": {as(func(m *jwks.JWK) { m.K = "AAAA" }), "symmetric"},
		"private, for use enc": {jwksOf(jwk(ec, "k", func(m *jwks.JWK) { m.Use = "enc" })), "private"},
		"alg against kty":      {as(func(m *jwks.JWK) { m.Algorithm = "RS256" }), "contradicts"},
		"alg against curve":    {as(func(m *jwks.JWK) { m.Algorithm = "ES384" }), "contradicts"},
		"HS256 on an EC key":   {as(func(m *jwks.JWK) { m.Algorithm = "HS256" }), "contradicts"},
		"point off the curve":  {as(func(m *jwks.JWK) { m.X, m.Y = m.Y, m.X }), "malformed"},
		"members of two types": {as(func(m *jwks.JWK) { m.N = "AQAB" }), "another kty"},
		"no kty":               {as(func(m *jwks.JWK) { m.Type = "" }), "no kty"},
		"padding":              {as(func(m *jwks.JWK) { m.X += "=" }), "canonical"},
		"kid too long":         {as(func(m *jwks.JWK) { m.KeyID = strings.Repeat("k", 129) }), "kid"},
		"duplicate member":     {[]byte(`{"keys":[],"keys":[]}`), "not a JWK Set"},
		"trailing data":        {append(as(nil), "{}"...), "not a JWK Set"},
		"too large":            {make([]byte, jwks.MaxBytes+1), "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, lenient := range []bool{false, true} {
				if _, err := jwks.Parse(c.set, lenient); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("lenient %v: error %v does not mention %q", lenient, err, c.want)
				}
			}
		})
	}
}

// rocaModulus returns an odd number of 2048 bits that is a power of 65537
// modulo the product of the small primes, as the flawed generator's are.
func rocaModulus() *big.Int {
	m := big.NewInt(2)
	for p := int64(3); p <= 167; p += 2 {
		if big.NewInt(p).ProbablyPrime(0) { // exact for small numbers
			m.Mul(m, big.NewInt(p))
		}
	}
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(123456789), m)
	k := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(3), 2046), m)
	return n.Add(n, k.Mul(k, m))
}

func TestAttackIssuersDoNotShareKeys(t *testing.T) {
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	mine := jwksIssuer(jwksOf(jwk(&testECKey().PublicKey, "k", nil)), "ES256")
	theirs := jwksIssuer(jwksOf(jwk(&other.PublicKey, "k", nil)), "ES256")
	theirs.Issuer = "https://other.example"
	v := newVerifier(t, nil, nil, mine, theirs)
	_, err := v.Verify(sign(t, "ES256", other, `{"alg":"ES256","kid":"k"}`, payload("")))
	wantError(t, err, ErrSignature)
}
