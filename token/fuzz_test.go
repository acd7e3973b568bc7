package token

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"rescind"
	"rescind/token/internal/strict"
)

// FuzzVerify: whatever comes, nothing panics, and a token that passes the strict
// pre-parse has one spelling and one identity, also for a reader that is not
// strict.
func FuzzVerify(f *testing.F) {
	good := signHS(hsHeader, payload(`"jti":"id","sid":"s"`))
	for _, raw := range []string{
		"", "..", good, good + "=", strings.Repeat(".", 100), rfcHSToken, rfcRS, rfcES, rfcES512, rfcEd,
		signHS(hsHeader, payload(`"jti":"\u0061"`)),
		signHS(hsHeader, payload(`"jti":null`)),
		signHS(hsHeader, payload(`"iſs":"x"`)),
		signHS(hsHeader, payload(`"x":[{"a":1e18}]`)),
		signHS(`{"alg":"none"}`, payload("")),
	} {
		f.Add(raw)
	}
	v := newVerifier(f, nil, func(c *VerifierConfig) { c.CacheTokens = -1 }, hsIssuer())
	f.Fuzz(func(t *testing.T, raw string) {
		if got, err := v.Verify(raw); err == nil {
			again, err := v.Verify(raw)
			if err != nil || again.Token != got.Token {
				t.Fatalf("two answers: %+v, %+v, %v", got, again, err)
			}
		}
		checkOneSpelling(t, raw)
	})
}

// FuzzClaims feeds claims past the signature, where a fuzzer can't get.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{payload(""), payload(`"jti":"a"`), `{}`, `{"exp":1.5}`, `{"aud":["a"]}`, `{"jti":"\ud83d\ude00"}`, `{"iat":0.0009}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkOneSpelling(t, signHS(hsHeader, s))
	})
}

func checkOneSpelling(t *testing.T, raw string) {
	c, err := splitCompact(raw, DefaultMaxTokenBytes)
	if err != nil {
		return
	}
	encode := base64.RawURLEncoding.EncodeToString
	if again := encode(c.header) + "." + encode(c.payload) + "." + encode(c.signature); again != raw {
		t.Fatalf("another spelling: %q", again)
	}
	cl, err := parseClaims(c.payload, DefaultMaxDepth)
	if err != nil {
		return
	}
	var lax struct{ Iss, Sub, Jti, Sid string }
	if err := json.Unmarshal(c.payload, &lax); err != nil {
		t.Fatalf("encoding/json refuses what was accepted: %v", err)
	}
	if lax.Iss != cl.iss || lax.Sub != cl.sub || lax.Jti != cl.jti || lax.Sid != cl.sid {
		t.Fatalf("two identities: %+v, %+v", cl, lax)
	}
	for _, m := range []rescind.Millis{cl.exp, cl.iat, cl.nbf, cl.authTime} {
		if m < 0 || m > strict.MaxNumericDate*1000+999 {
			t.Fatalf("time out of range: %d", m)
		}
	}
}

// FuzzEncrypted feeds headers and contents past the decryption: nothing panics,
// every refusal is typed, and what is accepted has the identity of what is
// inside.
func FuzzEncrypted(f *testing.F) {
	inner := signHS(hsHeader, payload(`"jti":"a"`))
	f.Add(`{"alg":"dir","enc":"A128GCM","cty":"JWT"}`, inner)
	f.Add(`{"alg":"dir","enc":"A128GCM","cty":"application/jwt","kid":"d","iss":"x"}`, inner)
	f.Add(`{"alg":"ECDH-ES","enc":"A128GCM","cty":"JWT","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`, "")
	f.Add(`{"alg":"RSA-OAEP-256","enc":"A128GCM","cty":"JWT","zip":"DEF","p2c":1e9}`, "....")
	keys := []DecryptionKey{dirKey(), {Algorithm: "ECDH-ES", Encryption: "A128GCM", Key: testECKey()}, {Algorithm: "RSA-OAEP-256", Encryption: "A128GCM", Key: testRSAKey()}}
	v := newVerifier(f, nil, func(c *VerifierConfig) { c.CacheTokens = -1 }, withKeys(keys...))
	block := must(aes.NewCipher(testContentKey))
	gcm := must(cipher.NewGCM(block))
	f.Fuzz(func(t *testing.T, header, inner string) {
		nonce := make([]byte, gcmNonce)
		h := b64([]byte(header))
		sealed := gcm.Seal(nil, nonce, []byte(inner), []byte(h))
		text, tag := sealed[:len(sealed)-gcmTag], sealed[len(sealed)-gcmTag:]
		for _, encryptedKey := range []string{"", "AAAA"} {
			got, err := v.Verify(h + "." + encryptedKey + "." + b64(nonce) + "." + b64(text) + "." + b64(tag))
			if err != nil {
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Fatalf("error is a %T", err)
				}
				continue
			}
			plain, err := v.Verify(inner)
			if err != nil || plain.Token != got.Token {
				t.Fatalf("inside: %+v, %v; encrypted: %+v", plain, err, got)
			}
		}
	})
}
