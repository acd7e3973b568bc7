package token

import (
	"encoding/base64"
	"testing"
	"time"

	"rescind/token/jwks"
)

// The examples of RFC 7515 appendix A and RFC 8037 appendix A.4.
const (
	rfcHSKey   = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
	rfcClaims  = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	rfcHSToken = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfcClaims + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

	rfcRSKey = `{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}`
	rfcRS    = "eyJhbGciOiJSUzI1NiJ9." + rfcClaims + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"

	rfcESKey = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	rfcES    = "eyJhbGciOiJFUzI1NiJ9." + rfcClaims + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

	rfcES512Key = `{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}`
	rfcES512    = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"

	rfcEdKey = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	rfcEd    = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

func TestRFC7515Tokens(t *testing.T) {
	secret := must(base64.RawURLEncoding.DecodeString(rfcHSKey))
	for name, c := range map[string]struct {
		raw    string
		issuer IssuerConfig
	}{
		"A.1 HS256": {rfcHSToken, IssuerConfig{Algorithms: []string{"HS256"}, HS256Secret: secret}},
		"A.2 RS256": {rfcRS, IssuerConfig{Algorithms: []string{"RS256"}, JWKS: []byte(`{"keys":[` + rfcRSKey + `]}`)}},
		"A.3 ES256": {rfcES, IssuerConfig{Algorithms: []string{"ES256"}, JWKS: []byte(`{"keys":[` + rfcESKey + `]}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.issuer.Issuer = "joe"
			now := time.Unix(1300819380, 0).Add(-time.Hour)
			v := newVerifier(t, nil, func(c *VerifierConfig) { c.Now = func() time.Time { return now } }, c.issuer)
			got, err := v.Verify(c.raw)
			wantError(t, err, nil)
			var claims map[string]any
			if err := got.Decode(&claims); err != nil || claims["http://example.com/is_root"] != true {
				t.Errorf("claims %v, error %v", claims, err)
			}
			now = time.Unix(1300819380, 0).Add(DefaultLeeway)
			_, err = v.Verify(c.raw)
			wantError(t, err, ErrExpired)
		})
	}
}

// TestRFCSignatures covers the examples whose payload is no claims set.
func TestRFCSignatures(t *testing.T) {
	for alg, c := range map[string]struct{ key, raw string }{
		"ES512": {rfcES512Key, rfcES512},
		"EdDSA": {rfcEdKey, rfcEd},
	} {
		t.Run(alg, func(t *testing.T) {
			set, err := jwks.Parse([]byte(`{"keys":[`+c.key+`]}`), false)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := splitCompact(c.raw, DefaultMaxTokenBytes)
			wantError(t, err, nil)
			h, err := parseHeader(parts.header, DefaultMaxDepth)
			wantError(t, err, nil)
			key, err := set.Find(h.kid, h.alg, jwks.Algorithms[alg])
			if err != nil {
				t.Fatal(err)
			}
			if err := jwks.Algorithms[alg].Method.Verify(parts.signingInput, parts.signature, key.Public); err != nil {
				t.Error(err)
			}
			parts.signature[5] ^= 1
			if jwks.Algorithms[alg].Method.Verify(parts.signingInput, parts.signature, key.Public) == nil {
				t.Error("a changed signature passes")
			}
		})
	}
}

// TestRFC7519Tokens: the token of section 3.1 is that of RFC 7515 A.1; the one of
// section 6.1 has no signature. Those of appendix A are encrypted by RSA1_5 and
// AES-CBC, which nobody gets to decrypt.
func TestRFC7519Tokens(t *testing.T) {
	v := newVerifier(t, nil, func(c *VerifierConfig) { c.Now = func() time.Time { return time.Unix(1300819380, 0).Add(-time.Hour) } },
		IssuerConfig{Issuer: "joe", Algorithms: []string{"HS256"}, HS256Secret: must(base64.RawURLEncoding.DecodeString(rfcHSKey))})
	encode := base64.RawURLEncoding.EncodeToString
	for section, c := range map[string]struct {
		raw  string
		want error
	}{
		"3.1": {rfcHSToken, nil},
		"6.1": {encode([]byte(`{"alg":"none"}`)) + "." + rfcClaims + ".", ErrMalformed},
		"A.1": {encode([]byte(`{"alg":"RSA1_5","enc":"A128CBC-HS256"}`)) + ".QR1O.QR1O.QR1O.QR1O", ErrMalformed},
		"A.2": {encode([]byte(`{"alg":"RSA1_5","enc":"A128CBC-HS256","cty":"JWT"}`)) + ".QR1O.QR1O.QR1O.QR1O", ErrMalformed},
	} {
		t.Run(section, func(t *testing.T) {
			_, err := v.Verify(c.raw)
			wantError(t, err, c.want)
		})
	}
}
