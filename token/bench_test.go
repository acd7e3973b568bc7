package token

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// BenchmarkVerify compares with golang-jwt as its documentation uses it: the
// same checks of issuer, audience, times and algorithm, but neither the strict
// pre-parse nor a look at revocations. "again" is the same token once more.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"HS256", "ES256", "RS256"} {
		var signKey, verifyKey any = []byte(testSecret), []byte(testSecret)
		issuer := hsIssuer()
		switch alg {
		case "ES256":
			signKey, verifyKey = testECKey(), &testECKey().PublicKey
			issuer = jwksIssuer(jwksOf(jwk(verifyKey, "k", nil)), alg)
		case "RS256":
			signKey, verifyKey = testRSAKey(), &testRSAKey().PublicKey
			issuer = jwksIssuer(jwksOf(jwk(verifyKey, "k", nil)), alg)
		}
		raw := sign(b, alg, signKey, `{"alg":"`+alg+`","typ":"at+jwt"}`,
			payload(`"jti":"0123456789abcdef","sid":"fedcba9876543210","client_id":"app","roles":["admin","user"]`))

		b.Run(alg+"/golang-jwt", func(b *testing.B) {
			parser := jwt.NewParser(jwt.WithValidMethods([]string{alg}), jwt.WithIssuer(testIssuer), jwt.WithAudience(testAudience),
				jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(func() time.Time { return epoch }))
			key := func(*jwt.Token) (any, error) { return verifyKey, nil }
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parser.ParseWithClaims(raw, jwt.MapClaims{}, key); err != nil {
					b.Fatal(err)
				}
			}
		})
		for name, size := range map[string]int{"rescind": -1, "rescind again": 100} {
			b.Run(alg+"/"+name, func(b *testing.B) {
				v := newVerifier(b, nil, func(c *VerifierConfig) { c.CacheTokens = size }, issuer)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := v.Verify(raw); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
