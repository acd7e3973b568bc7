package token

import (
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/token/internal/strict"
)

func TestAttackIdentifierTypes(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	tokens := map[string]string{}
	for _, claim := range []string{"jti", "sid", "client_id", "azp"} {
		for name, value := range map[string]string{
			"empty": `""`, "null": `null`, "number": `1`, "array": `["a"]`, "object": `{"a":1}`, "true": `true`,
			"too long": `"` + strings.Repeat("a", rescind.MaxIDLen+1) + `"`,
		} {
			tokens[claim+" "+name] = signHS(hsHeader, payload(`"`+claim+`":`+value))
		}
	}
	tokens["sub null"] = signHS(hsHeader, strings.Replace(payload(""), `"alice"`, `null`, 1))
	refuseAll(t, v, ErrClaims, tokens)
	_, err := v.Verify(signHS(hsHeader, payload(`"jti":"`+strings.Repeat("a", rescind.MaxIDLen)+`"`)))
	wantError(t, err, nil)
}

func TestAttackIssuer(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	iss := func(value string) string {
		return signHS(hsHeader, strings.Replace(payload(""), `"`+testIssuer+`"`, value, 1))
	}
	refuseAll(t, v, ErrUnknownIssuer, map[string]string{
		"prefix":         iss(`"https://issuer.exampl"`),
		"trailing slash": iss(`"` + testIssuer + `/"`),
		"case":           iss(`"https://ISSUER.example"`),
		"blank":          iss(`"` + testIssuer + ` "`),
		"missing":        signHS(hsHeader, `{"exp":1800000100}`),
	})
	refuseAll(t, v, ErrClaims, map[string]string{
		"array": iss(`["` + testIssuer + `"]`), "null": iss(`null`), "number": iss(`1`), "empty": iss(`""`),
	})
}

func TestAttackExpiry(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	exp := func(value string) string {
		return signHS(hsHeader, strings.Replace(payload(""), `"exp":1800003600`, `"exp":`+value, 1))
	}
	refuseAll(t, v, ErrClaims, map[string]string{
		"missing":      signHS(hsHeader, `{"iss":"`+testIssuer+`","aud":"`+testAudience+`","iat":1800000000}`),
		"string":       exp(`"1800003600"`),
		"null":         exp(`null`),
		"zero":         exp(`0`),
		"negative":     exp(`-1`),
		"1e18":         exp(`1e18`),
		"10^18":        exp(`1000000000000000000`),
		"overflow":     exp(`99999999999999999999999999`),
		"1e400":        exp(`1e400`),
		"milliseconds": exp(`1800003600000`),
		"array":        exp(`[1800003600]`),
		"exponent":     exp(`1.8000036E9`),
	})
	refuseAll(t, v, ErrLifetime, map[string]string{
		"year 9999":       exp(`253402300799`),
		"a second longer": exp(`1802592001`),
		"no iat":          signHS(hsHeader, `{"iss":"`+testIssuer+`","aud":"`+testAudience+`","exp":1802592001}`),
	})
	refuseAll(t, v, ErrExpired, map[string]string{
		"just now":    exp(`1799999995`),
		"fraction":    exp(`1799999994.999`),
		"tiny":        exp(`0.001`),
		"of the past": exp(`1`),
	})
	for _, good := range []string{`1799999995.001`, `1802592000`, `1800003600.5`} {
		_, err := v.Verify(exp(good))
		wantError(t, err, nil)
	}
}

func TestAttackFuture(t *testing.T) {
	for _, leeway := range []time.Duration{-1, 0, rescind.MaxLeeway} {
		v := newVerifier(t, nil, func(c *VerifierConfig) { c.Leeway = leeway }, hsIssuer())
		edge := epoch.Add(map[time.Duration]time.Duration{-1: 0, 0: DefaultLeeway, rescind.MaxLeeway: rescind.MaxLeeway}[leeway])
		at := func(claim string, d time.Duration) string {
			value := string(strict.NumericDate(rescind.MillisOf(edge.Add(d))))
			if claim == "iat" {
				return signHS(hsHeader, strings.Replace(payload(""), `"iat":1800000000`, `"iat":`+value, 1))
			}
			return signHS(hsHeader, payload(`"nbf":`+value))
		}
		for claim, want := range map[string]error{"iat": ErrIssuedInFuture, "nbf": ErrNotYetValid} {
			_, err := v.Verify(at(claim, 0))
			wantError(t, err, nil)
			_, err = v.Verify(at(claim, time.Millisecond))
			wantError(t, err, want)
		}
	}
}

// TestAttackTokensOfATransmitter: whoever is trusted for security events only opens
// no door.
func TestAttackTokensOfATransmitter(t *testing.T) {
	issuer := hsIssuer()
	issuer.EventsOnly = true
	v := newVerifier(t, nil, nil, issuer)
	event := signHS(`{"alg":"HS256","typ":"secevent+jwt"}`, payload(""))
	refuseAll(t, v, ErrType, map[string]string{"access token": signHS(hsHeader, payload("")), "event": event})
	types := []string{TypeRefresh, TypeOneTime, TypeLogout, TypeEvent}
	for typ, want := range map[string]error{"jwt": ErrType, TypeAccess: ErrType, TypeRefresh: ErrType, TypeOneTime: ErrType, TypeLogout: ErrType, TypeEvent: nil} {
		_, err := v.VerifyIgnoringRevocation(signHS(`{"alg":"HS256","typ":"`+typ+`"}`, payload("")), Inspection{Types: types})
		wantError(t, err, want)
	}
}

func TestAttackAudienceAndType(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	aud := func(value string) string {
		return signHS(hsHeader, strings.Replace(payload(""), `"`+testAudience+`"`, value, 1))
	}
	refuseAll(t, v, ErrAudience, map[string]string{
		"other":       aud(`"https://other.example"`),
		"prefix":      aud(`"https://api.exampl"`),
		"empty array": aud(`[]`),
		"missing":     signHS(hsHeader, `{"iss":"`+testIssuer+`","exp":1800000100}`),
		"the issuer":  aud(`"` + testIssuer + `"`),
	})
	refuseAll(t, v, ErrClaims, map[string]string{
		"null": aud(`null`), "number": aud(`1`), "array of numbers": aud(`[1]`), "nested": aud(`[["` + testAudience + `"]]`), "object": aud(`{}`),
	})
	_, err := v.Verify(aud(`["x","` + testAudience + `"]`))
	wantError(t, err, nil)
	refuseAll(t, v, ErrType, map[string]string{
		"refresh token":          signHS(`{"alg":"HS256","typ":"rt+jwt"}`, payload("")),
		"logout token":           signHS(`{"alg":"HS256","typ":"Logout+JWT"}`, payload("")),
		"logout token as JWT":    signHS(`{"alg":"HS256","typ":"JWT"}`, payload(`"events":{}`)),
		"ID token":               signHS(hsHeader, payload(`"at_hash":"x"`)),
		"ID token of Keycloak":   signHS(hsHeader, payload(`"typ":"ID"`)),
		"refresh of Keycloak":    signHS(hsHeader, payload(`"typ":"Refresh"`)),
		"ID token of Cognito":    signHS(hsHeader, payload(`"token_use":"id"`)),
		"proof of possession":    signHS(`{"alg":"HS256","typ":"dpop+jwt"}`, payload("")),
		"a type named as a hint": signHS(`{"alg":"HS256","typ":"id token"}`, payload("")),
	})
	_, err = v.Verify(signHS(`{"alg":"HS256","typ":"jwt"}`, payload(`"typ":"Bearer","token_use":"access"`)))
	wantError(t, err, nil)
}
