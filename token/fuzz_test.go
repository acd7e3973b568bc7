package token

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"rescind"
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
		if m < 0 || m > maxNumericDate*1000+999 {
			t.Fatalf("time out of range: %d", m)
		}
	}
}
