package token

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/token/jwks"
)

func TestAttackCache(t *testing.T) {
	n := newNode(atEpoch)
	now := epoch
	keys := must(GenerateKeySet())
	trust := IssuerConfig{Issuer: testIssuer, Algorithms: []string{"ES256"}, Keys: keys}
	v := newVerifier(t, n, func(c *VerifierConfig) { c.Now = func() time.Time { return now }; c.CacheTokens = 16 }, trust)
	header := func() string { return `{"alg":"ES256","kid":"` + keys.current().kid + `"}` }
	raw := sign(t, "ES256", keys.current().private, header(), payload(`"jti":"a"`))
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
	if v.cache.get(raw) != nil {
		t.Error("an expired token is still remembered")
	}
	now = epoch

	if err := rotate(keys, 0); err != nil { // drops the key that vouched
		t.Fatal(err)
	}
	_, err = v.Verify(raw)
	wantError(t, err, ErrUnknownKey)

	raw = sign(t, "ES256", keys.current().private, header(), payload(`"jti":"a"`))
	got, err := v.Verify(raw)
	wantError(t, err, nil)
	n.revoke(t, got.This())
	_, err = v.Verify(raw)
	wantError(t, err, ErrRevoked)
	for i := range 100 { // bounded
		v.cache.put(strings.Repeat("x", i), &authentic{})
	}
	if v.cache.get(raw) != nil && v.cache.shard(raw).bytes < size(raw, v.cache.get(raw)) {
		t.Error("the bytes are not counted")
	}
	total := 0
	for i := range v.cache.shards {
		total += len(v.cache.shards[i].seen)
	}
	if total > 16 {
		t.Errorf("holds %d tokens; want at most 16", total)
	}
}

// TestCacheIsBoundedInBytes: giant tokens displace others and leave no trace in
// the sum.
func TestCacheIsBoundedInBytes(t *testing.T) {
	const limit = cacheShards * 4000
	c := newCache(1000, limit)
	held := func() (tokens, bytes, sum int) {
		for i := range c.shards {
			tokens += len(c.shards[i].seen)
			bytes += c.shards[i].bytes
			for raw, a := range c.shards[i].seen {
				sum += size(raw, a)
			}
		}
		return tokens, bytes, sum
	}
	current := &authentic{issuer: &trusted{keys: func() *jwks.Set { return nil }}}
	for i := range 5000 {
		c.put(strings.Repeat("x", i%3000), current)
		if tokens, bytes, sum := held(); bytes > limit || bytes != sum {
			t.Fatalf("%d tokens, counted %d bytes, really %d; at most %d are allowed", tokens, bytes, sum, limit)
		}
	}
	if tokens, _, _ := held(); tokens < cacheShards {
		t.Errorf("only %d tokens are remembered", tokens)
	}
	giant := strings.Repeat("y", limit)
	c.put(giant, current)
	if c.get(giant) != nil {
		t.Error("a token larger than the cache is remembered")
	}
	for i := range 3000 {
		c.drop(strings.Repeat("x", i))
	}
	if tokens, bytes, _ := held(); tokens != 0 || bytes != 0 {
		t.Errorf("%d tokens, %d bytes are left", tokens, bytes)
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
