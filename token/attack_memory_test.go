package token

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rescind"
)

func TestAttackCache(t *testing.T) {
	n := newNode(atEpoch)
	now := epoch
	keys := must(GenerateKeySet())
	trust := IssuerConfig{Issuer: testIssuer, Algorithms: []string{"ES256"}, Keys: keys}
	v := newVerifier(t, n, func(c *VerifierConfig) { c.Now = func() time.Time { return now }; c.CacheTokens = 16 }, trust)
	header := func() string { return `{"alg":"ES256","kid":"` + keys.signer().kid + `"}` }
	raw := sign(t, "ES256", keys.signer().private, header(), payload(`"jti":"a"`))
	for range 2 {
		_, err := v.Verify(raw)
		wantError(t, err, nil)
	}
	if v.cache.get(raw) == nil {
		t.Fatal("not remembered")
	}
	_, err := v.Verify(raw[:len(raw)-4] + "AAAA") // the signature is part of the key
	wantError(t, err, ErrSignature)

	now = epoch.Add(time.Hour + DefaultLeeway)
	_, err = v.Verify(raw)
	wantError(t, err, ErrExpired)
	now = epoch

	if err := keys.Rotate(0); err != nil { // drops the key that vouched
		t.Fatal(err)
	}
	_, err = v.Verify(raw)
	wantError(t, err, ErrUnknownKey)

	raw = sign(t, "ES256", keys.signer().private, header(), payload(`"jti":"a"`))
	got, err := v.Verify(raw)
	wantError(t, err, nil)
	n.revoke(t, got.This())
	_, err = v.Verify(raw)
	wantError(t, err, ErrRevoked)
	for i := range 100 { // bounded
		v.cache.put(strings.Repeat("x", i), &authentic{})
	}
	total := 0
	for i := range v.cache.shards {
		total += len(v.cache.shards[i].seen)
	}
	if total > 16 {
		t.Errorf("holds %d tokens; want at most 16", total)
	}
}

// TestAttackCanary looks for a secret value in everything that a refusal says.
func TestAttackCanary(t *testing.T) {
	const canary = "CANARY-7f3a"
	n := newNode(atEpoch)
	v := newVerifier(t, n, nil, hsIssuer())
	n.revoke(t, rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: testIssuer, ID: canary}})
	for _, raw := range []string{
		signHS(hsHeader, payload(`"jti":"`+canary+`"`)),
		signHS(hsHeader, payload(`"jti":"`+canary+`","nbf":1900000000`)),
		signHS(hsHeader, payload(`"jti":"`+canary+`","jti":"`+canary+`"`)),
		signHS(hsHeader, payload(`"`+canary+`":x`)),
		signHS(hsHeader, `{"iss":"`+canary+`"}`),
		signHS(`{"alg":"`+canary+`"}`, payload("")),
		signHS(`{"alg":"HS256","kid":"`+canary+`"}`, payload("")),
		canary + ".x.y", canary,
	} {
		_, err := v.Verify(raw)
		if err == nil {
			t.Fatal("accepted")
		}
		said := err.Error() + Challenge(err, "")
		if strings.Contains(said, canary) || strings.Contains(said, raw) || strings.Contains(said, b64([]byte(canary))[:10]) {
			t.Errorf("the refusal repeats the token: %s", said)
		}
	}
	got, err := v.VerifyIgnoringRevocation(signHS(hsHeader, payload(`"x":"`+canary+`"`)), Inspection{})
	wantError(t, err, nil)
	var wrong struct {
		X int `json:"x"`
	}
	if err := got.Decode(&wrong); err == nil || strings.Contains(err.Error(), canary) || !errors.Is(err, ErrClaims) {
		t.Errorf("Decode: %v", err)
	}
}
