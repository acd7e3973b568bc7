package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"rescind/token/internal/strict"
)

var testContentKey = []byte("\x9c\x01\xd4\x55\x1f\x70\x8a\x33\xe2\xb7\x64\x0d\xc9\x28\x91\xfe")

func dirKey() DecryptionKey {
	return DecryptionKey{KeyID: "d", Algorithm: "dir", Encryption: "A128GCM", Key: testContentKey}
}

func withKeys(keys ...DecryptionKey) IssuerConfig {
	c := hsIssuer()
	c.DecryptionKeys = keys
	return c
}

// encrypt nests inner in a JWE; extra are more header members.
func encrypt(t testing.TB, inner string, alg, enc string, key any, extra map[string]any) string {
	t.Helper()
	o := (&jose.EncrypterOptions{}).WithContentType("JWT")
	for name, value := range extra {
		o.WithHeader(jose.HeaderKey(name), value)
	}
	e := must(jose.NewEncrypter(jose.ContentEncryption(enc), jose.Recipient{Algorithm: jose.KeyAlgorithm(alg), Key: key}, o))
	return must(must(e.Encrypt([]byte(inner))).CompactSerialize())
}

func encryptDir(t testing.TB, inner string, extra map[string]any) string {
	return encrypt(t, inner, "dir", "A128GCM", testContentKey, extra)
}

func TestEncryptedTokens(t *testing.T) {
	ec := map[string]*ecdsa.PrivateKey{}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		ec[name] = must(ecdsa.GenerateKey(curve, rand.Reader))
	}
	secret := func(n int) []byte {
		b := make([]byte, n)
		rand.Read(b)
		return b
	}
	secrets := [][]byte{secret(16), secret(24), secret(32)}
	inner := signHS(hsHeader, payload(`"jti":"id","sid":"s"`))
	for name, c := range map[string]struct {
		alg, enc        string
		public, private any
	}{
		"dir A128GCM":           {"dir", "A128GCM", secrets[0], secrets[0]},
		"dir A192GCM":           {"dir", "A192GCM", secrets[1], secrets[1]},
		"dir A256GCM":           {"dir", "A256GCM", secrets[2], secrets[2]},
		"RSA-OAEP-256 A256GCM":  {"RSA-OAEP-256", "A256GCM", &testRSAKey().PublicKey, testRSAKey()},
		"ECDH-ES P-256 A128GCM": {"ECDH-ES", "A128GCM", &ec["P-256"].PublicKey, ec["P-256"]},
		"ECDH-ES P-384 A192GCM": {"ECDH-ES", "A192GCM", &ec["P-384"].PublicKey, ec["P-384"]},
		"ECDH-ES P-521 A256GCM": {"ECDH-ES", "A256GCM", &ec["P-521"].PublicKey, ec["P-521"]},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(atEpoch)
			v := newVerifier(t, n, nil, withKeys(DecryptionKey{Algorithm: c.alg, Encryption: c.enc, Key: c.private}))
			first, second := encrypt(t, inner, c.alg, c.enc, c.public, nil), encrypt(t, inner, c.alg, c.enc, c.public, nil)
			var got *Verified
			for range 2 { // then from the cache
				var err error
				got, err = v.Verify(first)
				wantError(t, err, nil)
			}
			if got.Token.ID != "id" || got.Token.Session != "s" || got.Token.Subject != "alice" {
				t.Errorf("got %+v", got.Token)
			}
			_, err := v.Verify(inner) // signed only
			wantError(t, err, nil)
			n.revoke(t, got.This())
			for _, raw := range []string{first, second, inner} { // one identity
				_, err = v.Verify(raw)
				wantError(t, err, ErrRevoked)
			}
		})
	}
}

// TestEncryptedTokenWithoutJTI: the name comes from what is inside.
func TestEncryptedTokenWithoutJTI(t *testing.T) {
	n := newNode(atEpoch)
	v := newVerifier(t, n, nil, withKeys(dirKey()))
	inner := signHS(hsHeader, payload(""))
	got, err := v.Verify(encryptDir(t, inner, nil))
	wantError(t, err, nil)
	n.revoke(t, got.This())
	_, err = v.Verify(encryptDir(t, inner, nil))
	wantError(t, err, ErrRevoked)
}

func TestAttackEncryptionIsOffByDefault(t *testing.T) {
	_, err := newVerifier(t, nil, nil, hsIssuer()).Verify(encryptDir(t, signHS(hsHeader, payload("")), nil))
	wantError(t, err, ErrMalformed)
}

func TestAttackEncryptedForms(t *testing.T) {
	v := newVerifier(t, nil, nil, withKeys(dirKey(), DecryptionKey{Algorithm: "RSA-OAEP-256", Encryption: "A128GCM", Key: testRSAKey()}))
	inner := signHS(hsHeader, payload(""))
	good := strings.Split(encryptDir(t, inner, nil), ".")
	change := func(part int, to string) string {
		p := append([]string(nil), good...)
		p[part] = to
		return strings.Join(p, ".")
	}
	header := func(h string) string { return change(0, b64([]byte(h))) }
	flip := func(s string) string { // another letter, in the middle
		c := byte('A')
		if s[4] == c {
			c = 'B'
		}
		return s[:4] + string(c) + s[5:]
	}
	compressed := must(jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: testContentKey},
		(&jose.EncrypterOptions{Compression: jose.DEFLATE}).WithContentType("JWT")))
	bomb := must(must(compressed.Encrypt([]byte(strings.Repeat("A", 200_000)))).CompactSerialize())
	if len(bomb) > DefaultMaxTokenBytes {
		t.Fatal("the bomb is too large to test anything")
	}
	refuseAll(t, v, ErrMalformed, map[string]string{
		"zip":                       encryptDir(t, inner, map[string]any{"zip": "DEF"}),
		"compression bomb":          bomb,
		"crit":                      header(`{"alg":"dir","enc":"A128GCM","cty":"JWT","crit":["exp"]}`),
		"PBES2 of a billion rounds": header(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","cty":"JWT","p2s":"AAAA","p2c":1000000000}`),
		"no cty":                    header(`{"alg":"dir","enc":"A128GCM"}`),
		"cty of something else":     header(`{"alg":"dir","enc":"A128GCM","cty":"text/plain"}`),
		"duplicate alg":             header(`{"alg":"dir","alg":"dir","enc":"A128GCM","cty":"JWT"}`),
		"ALG":                       header(`{"ALG":"dir","alg":"dir","enc":"A128GCM","cty":"JWT"}`),
		"kid is a number":           header(`{"alg":"dir","enc":"A128GCM","cty":"JWT","kid":1}`),
		"header is null":            header(`null`),
		"no header":                 change(0, ""),
		"no initialization vector":  change(2, ""),
		"short vector":              change(2, b64(make([]byte, 11))),
		"no ciphertext":             change(3, ""),
		"no tag":                    change(4, ""),
		"short tag":                 change(4, b64(make([]byte, 4))),
		"no encrypted key with RSA": b64([]byte(`{"alg":"RSA-OAEP-256","enc":"A128GCM","cty":"JWT"}`)) + strings.Join(append([]string{""}, good[1:]...), "."),
		"encrypted key with dir":    change(1, b64(make([]byte, 16))),
		"padding":                   change(2, good[2]+"="),
		"line break":                change(3, good[3][:8]+"\n"+good[3][8:]),
		"six parts":                 strings.Join(good, ".") + ".AA",
		"JSON serialisation":        `{"protected":"` + good[0] + `","iv":"` + good[2] + `","ciphertext":"` + good[3] + `","tag":"` + good[4] + `"}`,
		"a JWE inside":              encryptDir(t, strings.Join(good, "."), nil),
		"no token inside":           encryptDir(t, "hello", nil),
		"bare claims inside":        encryptDir(t, payload(""), nil),
	})
	refuseAll(t, v, ErrDecryption, map[string]string{
		"changed vector":     change(2, flip(good[2])),
		"changed ciphertext": change(3, flip(good[3])),
		"changed tag":        change(4, flip(good[4])),
		"changed header":     header(`{"alg":"dir","enc":"A128GCM","cty":"JWT","x":1}`),
		"another key":        encrypt(t, inner, "dir", "A128GCM", []byte("0123456789abcdef"), nil),
	})
	refuseAll(t, v, ErrUnknownKey, map[string]string{
		"unknown kid":   encryptDir(t, inner, map[string]any{"kid": "e"}),
		"prefix of kid": encryptDir(t, inner, map[string]any{"kid": "dd"}),
		"other enc":     header(`{"alg":"dir","enc":"A256GCM","cty":"JWT"}`),
		"CBC":           header(`{"alg":"dir","enc":"A128CBC-HS256","cty":"JWT"}`),
		"RSA1_5":        header(`{"alg":"RSA1_5","enc":"A128GCM","cty":"JWT"}`),
		"case of alg":   header(`{"alg":"DIR","enc":"A128GCM","cty":"JWT"}`),
	})
	refuseAll(t, v, ErrSignature, map[string]string{
		"badly signed inside": encryptDir(t, inner[:len(inner)-4]+"AAAA", nil),
	})
	refuseAll(t, v, ErrAlgorithm, map[string]string{
		"none inside": encryptDir(t, b64([]byte(`{"alg":"none"}`))+"."+b64([]byte(payload("")))+".AA", nil),
	})
	refuseAll(t, v, ErrTooLarge, map[string]string{
		"giant":      encryptDir(t, signHS(hsHeader, payload(`"x":"`+strings.Repeat("a", DefaultMaxTokenBytes)+`"`)), nil),
		"giant dots": strings.Repeat(".", DefaultMaxTokenBytes+1),
	})
}

// TestAttackKeyConfusionInEncryption: the key decides alg and enc, not the token.
func TestAttackKeyConfusionInEncryption(t *testing.T) {
	inner := signHS(hsHeader, payload(""))
	rsaKey := DecryptionKey{KeyID: "r", Algorithm: "RSA-OAEP-256", Encryption: "A128GCM", Key: testRSAKey()}
	v := newVerifier(t, nil, nil, withKeys(dirKey(), rsaKey))
	public := &testRSAKey().PublicKey
	refuseAll(t, v, ErrUnknownKey, map[string]string{
		"RSA-OAEP with SHA-1": encrypt(t, inner, "RSA-OAEP", "A128GCM", public, map[string]any{"kid": "r"}),
		"the kid of dir":      encrypt(t, inner, "RSA-OAEP-256", "A128GCM", public, map[string]any{"kid": "d"}),
		"dir with kid of RSA": encryptDir(t, inner, map[string]any{"kid": "r"}),
		"A256GCM for the RSA": encrypt(t, inner, "RSA-OAEP-256", "A256GCM", public, map[string]any{"kid": "r"}),
	})
	_, err := v.Verify(encrypt(t, inner, "RSA-OAEP-256", "A128GCM", public, map[string]any{"kid": "r"}))
	wantError(t, err, nil)
}

// TestAttackInvalidCurve sends ephemeral keys that are not on the curve of the
// private key, which would leak it bit by bit.
func TestAttackInvalidCurve(t *testing.T) {
	v := newVerifier(t, nil, nil, withKeys(DecryptionKey{Algorithm: "ECDH-ES", Encryption: "A128GCM", Key: testECKey()}))
	tail := ".." + b64(make([]byte, 12)) + ".AAAA." + b64(make([]byte, 16))
	tokens := map[string]string{}
	for name, epk := range map[string]string{
		"off the curve": `{"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64([]byte(strings.Repeat("\x01", 32))) + `"}`,
		"zero":          `{"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"}`,
		"another curve": publicJWK(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))),
		"not a key":     `"hello"`,
		"an RSA key":    `{"kty":"RSA","n":"AQAB","e":"AQAB"}`,
		"a secret":      `{"kty":"oct","k":"AAAA"}`,
		"null":          `null`,
	} {
		tokens[name] = b64([]byte(`{"alg":"ECDH-ES","enc":"A128GCM","cty":"JWT","epk":`+epk+`}`)) + tail
	}
	tokens["none"] = b64([]byte(`{"alg":"ECDH-ES","enc":"A128GCM","cty":"JWT"}`)) + tail
	refuseAll(t, v, ErrDecryption, tokens)
}

func publicJWK(k *ecdsa.PrivateKey) string {
	return string(must(json.Marshal(jose.JSONWebKey{Key: &k.PublicKey})))
}

// TestDecryptionKeysAreTheIssuersOwn: who may encrypt for one issuer may not
// thereby speak for another, and replicated claims must be true.
func TestDecryptionKeysAreTheIssuersOwn(t *testing.T) {
	other := IssuerConfig{
		Issuer: "https://other.example", Algorithms: []string{"HS256"}, HS256Secret: []byte(testSecret + "!"),
		DecryptionKeys: []DecryptionKey{{KeyID: "o", Algorithm: "dir", Encryption: "A128GCM", Key: []byte("0123456789abcdef")}},
	}
	v := newVerifier(t, nil, nil, withKeys(dirKey()), other)
	inner := signHS(hsHeader, payload(""))
	_, err := v.Verify(encrypt(t, inner, "dir", "A128GCM", []byte("0123456789abcdef"), map[string]any{"kid": "o"}))
	wantError(t, err, ErrUnknownIssuer)
	_, err = v.Verify(encryptDir(t, inner, nil))
	wantError(t, err, ErrUnknownKey) // both keys fit, and it names none
	for _, c := range []struct {
		header map[string]any
		want   error
	}{
		{map[string]any{"iss": testIssuer, "sub": "alice", "aud": testAudience}, nil},
		{map[string]any{"aud": []string{testAudience}}, nil},
		{map[string]any{"iss": testIssuer + "/"}, ErrClaims},
		{map[string]any{"sub": "bob"}, ErrClaims},
		{map[string]any{"aud": []string{testAudience, "x"}}, ErrClaims},
		{map[string]any{"iss": 1}, ErrMalformed},
	} {
		c.header["kid"] = "d"
		_, err := v.Verify(encryptDir(t, inner, c.header))
		wantError(t, err, c.want)
	}
}

func TestDecryptionKeyMistakes(t *testing.T) {
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	torn := *testECKey()
	torn.PublicKey = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey
	for name, keys := range map[string][]DecryptionKey{
		"PBES2":        {{Algorithm: "PBES2-HS256+A128KW", Encryption: "A128GCM", Key: testContentKey}},
		"RSA1_5":       {{Algorithm: "RSA1_5", Encryption: "A128GCM", Key: testRSAKey()}},
		"RSA-OAEP":     {{Algorithm: "RSA-OAEP", Encryption: "A128GCM", Key: testRSAKey()}},
		"CBC":          {{Algorithm: "dir", Encryption: "A128CBC-HS256", Key: make([]byte, 32)}},
		"no alg":       {{Encryption: "A128GCM", Key: testContentKey}},
		"wrong length": {{Algorithm: "dir", Encryption: "A256GCM", Key: testContentKey}},
		"zeros":        {{Algorithm: "dir", Encryption: "A128GCM", Key: make([]byte, 16)}},
		"no key":       {{Algorithm: "RSA-OAEP-256", Encryption: "A128GCM"}},
		"nil key":      {{Algorithm: "ECDH-ES", Encryption: "A128GCM", Key: (*ecdsa.PrivateKey)(nil)}},
		"public key":   {{Algorithm: "RSA-OAEP-256", Encryption: "A128GCM", Key: &testRSAKey().PublicKey}},
		"RSA 1024":     {{Algorithm: "RSA-OAEP-256", Encryption: "A128GCM", Key: small}},
		"P-224":        {{Algorithm: "ECDH-ES", Encryption: "A128GCM", Key: must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))}},
		"two halves":   {{Algorithm: "ECDH-ES", Encryption: "A128GCM", Key: &torn}},
		"long kid":     {{KeyID: strings.Repeat("k", 129), Algorithm: "dir", Encryption: "A128GCM", Key: testContentKey}},
		"same kid":     {dirKey(), dirKey()},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewVerifier(t.Context(), VerifierConfig{Issuers: []IssuerConfig{withKeys(keys...)}, Checker: newNode(atEpoch)})
			if err == nil {
				t.Error("accepted")
			}
		})
	}
	if s := fmt.Sprintf("%v %+v %#v", dirKey(), dirKey(), dirKey()); strings.Contains(s, "156") || strings.Contains(s, "9c") {
		t.Errorf("the key is shown: %s", s)
	}
}

// TestRFC7520Encryption is the example of RFC 7520 section 5.6: dir, A128GCM.
func TestRFC7520Encryption(t *testing.T) {
	const raw = "eyJhbGciOiJkaXIiLCJraWQiOiI3N2M3ZTJiOC02ZTEzLTQ1Y2YtODY3Mi02MTdiNWI0NTI0M2EiLCJlbmMiOiJBMTI4R0NNIn0..refa467QzzKx6QAB.JW_i_f52hww_ELQPGaYyeAB6HYGcR559l9TYnSovc23XJoBcW29rHP8yZOZG7YhLpT1bjFuvZPjQS-m0IFtVcXkZXdH_lr_FrdYt9HRUYkshtrMmIUAyGmUnd9zMDB2n0cRDIHAzFVeJUDxkUwVAE7_YGRPdcqMyiBoCO-FBdE-Nceb4h3-FtBP-c_BIwCPTjb9o0SbdcdREEMJMyZBH8ySWMVi1gPD9yxi-aQpGbSv_F9N4IZAxscj5g-NJsUPbjk29-s7LJAGb15wEBtXphVCgyy53CoIKLHHeJHXex45Uz9aKZSRSInZI-wjsY0yu3cT4_aQ3i1o-tiE-F8Ios61EKgyIQ4CWao8PFMj8TTnp.vbb32Xvllea2OtmHAdccRQ"
	secret, _ := strict.DecodeSegment("XctOhJAkA-pD9Lh7ZgW_2A")
	d := &decrypter{DecryptionKey: DecryptionKey{Algorithm: "dir", Encryption: "A128GCM", Key: secret}}
	got, err := d.open(raw)
	wantError(t, err, nil)
	if !strings.HasPrefix(got, "You can trust us to stick with you") || !strings.HasSuffix(got, "We are your friends, Frodo.") {
		t.Errorf("got %q", got)
	}
	_, err = newVerifier(t, nil, nil, withKeys(d.DecryptionKey)).Verify(raw) // no cty: not a token
	wantError(t, err, ErrMalformed)
}
