package token

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rescind"
)

func TestVerifyAcceptsAndDescribes(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	raw := signHS(`{"alg":"HS256","typ":"application/AT+jwt","jku":"https://evil.example","jwk":{"kty":"oct"}}`,
		payload(`"jti":"id","sid":"s","client_id":"app","azp":"other","nbf":1,"roles":["admin"]`))
	got, err := v.Verify(raw)
	wantError(t, err, nil)
	want := rescind.Token{
		Issuer: testIssuer, ID: "id", Session: "s", Subject: "alice", ClientID: "app",
		IssuedAt: rescind.MillisOf(epoch), ExpiresAt: rescind.MillisOf(epoch.Add(time.Hour)),
	}
	if got.Token != want || got.Type != TypeAccess || got.Algorithm != "HS256" {
		t.Errorf("got %+v, type %q, algorithm %q; want %+v", got.Token, got.Type, got.Algorithm, want)
	}
	var claims struct{ Roles []string }
	if err := got.Decode(&claims); err == nil && len(claims.Roles) != 0 {
		t.Error("Decode ignores case: Roles took roles")
	}
	var tagged struct {
		Roles []string `json:"roles"`
	}
	if err := got.Decode(&tagged); err != nil || len(tagged.Roles) != 1 {
		t.Errorf("Decode: %v, %v", tagged, err)
	}
}

func TestVerdictsBecomeErrors(t *testing.T) {
	raw := signHS(hsHeader, payload(`"jti":"id"`))
	for _, c := range []struct {
		verdict rescind.Verdict
		want    error
		stale   error // under AcceptStale
		status  int
	}{
		{rescind.Valid, nil, nil, 200},
		{rescind.Revoked, ErrRevoked, ErrRevoked, 401},
		{rescind.Stale, ErrStale, nil, 503},
		{rescind.Unknown, ErrNotReady, ErrNotReady, 503},
		{rescind.Verdict(9), ErrNotReady, ErrNotReady, 503},
	} {
		t.Run(c.verdict.String(), func(t *testing.T) {
			n := newNode(atEpoch)
			n.override = c.verdict
			v := newVerifier(t, n, nil, hsIssuer())
			for range 2 { // the second time from the cache
				_, err := v.Verify(raw)
				wantError(t, err, c.want)
				if Status(err) != c.status {
					t.Errorf("status %d; want %d", Status(err), c.status)
				}
				_, err = v.verify(raw, rules{acceptStale: true})
				wantError(t, err, c.stale)
			}
		})
	}
}

func TestRevocationsOfAToken(t *testing.T) {
	for name, of := range map[string]func(*Verified) rescind.Revocation{
		"this": (*Verified).This, "session": (*Verified).Session, "subject": (*Verified).Subject,
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(atEpoch)
			v := newVerifier(t, n, nil, hsIssuer())
			raw := signHS(hsHeader, payload(`"jti":"id","sid":"s"`))
			got, err := v.Verify(raw)
			wantError(t, err, nil)
			n.revoke(t, of(got))
			_, err = v.Verify(raw)
			wantError(t, err, ErrRevoked)
			_, err = v.VerifyIgnoringRevocation(raw, Inspection{})
			wantError(t, err, nil)
		})
	}
}

func TestTokenFromAClockAheadCanBeLoggedOutEverywhere(t *testing.T) {
	n := newNode(atEpoch)
	v := newVerifier(t, n, nil, hsIssuer())
	ahead := strings.Replace(payload(""), `"iat":1800000000`, `"iat":1800000004.5`, 1)
	raw := signHS(hsHeader, ahead)
	got, err := v.Verify(raw)
	wantError(t, err, nil)
	n.revoke(t, got.Subject())
	_, err = v.Verify(raw)
	wantError(t, err, ErrRevoked)
}

func TestSessionFallsBackToTheToken(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	got, err := v.Verify(signHS(hsHeader, payload("")))
	wantError(t, err, nil)
	r := got.Session()
	if r.Scope != rescind.ScopeJTI || !strings.HasPrefix(r.ID, rescind.DerivedIDPrefix) || !r.ExpiresAt.Equal(epoch.Add(time.Hour)) {
		t.Errorf("got %+v", r)
	}
}

func TestTypesAndInspection(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	refresh := signHS(`{"alg":"HS256","typ":"rt+jwt"}`, strings.Replace(payload(`"jti":"r"`), testAudience, testIssuer, 1))
	_, err := v.Verify(refresh)
	wantError(t, err, ErrType)
	_, err = v.VerifyIgnoringRevocation(refresh, Inspection{})
	wantError(t, err, ErrType)
	got, err := v.VerifyIgnoringRevocation(refresh, Inspection{Types: []string{TypeRefresh}})
	wantError(t, err, nil)
	if got.Type != TypeRefresh {
		t.Errorf("type is %q", got.Type)
	}
	logout := signHS(`{"alg":"HS256","typ":"JWT"}`, payload(`"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`))
	got, err = v.VerifyIgnoringRevocation(logout, Inspection{Types: []string{TypeLogout}})
	wantError(t, err, nil)
	if got.Type != TypeLogout {
		t.Errorf("type is %q", got.Type)
	}
}

func TestExpiredTokenIsAcceptedForRevokingOnly(t *testing.T) {
	late := func() time.Time { return epoch.Add(time.Hour + DefaultLeeway) }
	v := newVerifier(t, nil, func(c *VerifierConfig) { c.Now = late }, hsIssuer())
	raw := signHS(hsHeader, payload(""))
	_, err := v.Verify(raw)
	wantError(t, err, ErrExpired)
	_, err = v.VerifyIgnoringRevocation(raw, Inspection{AllowExpired: true})
	wantError(t, err, nil)
}

func TestTokensWithoutExpiry(t *testing.T) {
	noExp := func(iat string) string {
		return signHS(hsHeader, `{"iss":"`+testIssuer+`","aud":"`+testAudience+`"`+iat+`}`)
	}
	v := newVerifier(t, nil, nil, hsIssuer())
	_, err := v.Verify(noExp(`,"iat":1800000000`))
	wantError(t, err, ErrClaims)

	lenient := hsIssuer()
	lenient.AllowNoExp = true
	now := epoch
	v = newVerifier(t, nil, func(c *VerifierConfig) { c.Now = func() time.Time { return now } }, lenient)
	_, err = v.Verify(noExp(""))
	wantError(t, err, ErrClaims)
	_, err = v.Verify(noExp(`,"iat":1800000000,"exp":0`)) // not the same as none
	wantError(t, err, ErrClaims)
	got, err := v.Verify(noExp(`,"iat":1800000000`))
	wantError(t, err, nil)
	if want := rescind.MillisOf(epoch.Add(DefaultMaxLifetime)); got.Token.ExpiresAt != want {
		t.Errorf("expires at %v; want %v", got.Token.ExpiresAt.Time(), want.Time())
	}
	now = epoch.Add(DefaultMaxLifetime + DefaultLeeway)
	_, err = v.Verify(noExp(`,"iat":1800000000`))
	wantError(t, err, ErrExpired)
}

func TestAuthTimeDatesATokenIfTold(t *testing.T) {
	early := payload(`"auth_time":1799999000.250`)
	for _, use := range []bool{false, true} {
		c := hsIssuer()
		c.AuthTime = use
		got, err := newVerifier(t, nil, nil, c).Verify(signHS(hsHeader, early))
		wantError(t, err, nil)
		want := rescind.MillisOf(epoch)
		if use {
			want = 1799999000250
		}
		if got.Token.IssuedAt != want {
			t.Errorf("AuthTime %v: issued at %d; want %d", use, got.Token.IssuedAt, want)
		}
	}
}

// TestVerifyToRevoke: a token that has been revoked may still be revoked by, one of
// whose key or issuer that has been said may not; a node that can't know says so.
func TestVerifyToRevoke(t *testing.T) {
	key := func(scope rescind.Scope, id string) rescind.Revocation {
		return rescind.Revocation{Key: rescind.Key{Scope: scope, Issuer: testIssuer, ID: id}}
	}
	trusted := jwksIssuer(jwksOf(jwk(&testECKey().PublicKey, "k1", nil)), "ES256")
	raw := sign(t, "ES256", testECKey(), `{"alg":"ES256","kid":"k1"}`, payload(`"jti":"id","sid":"s","client_id":"app"`))
	for name, c := range map[string]struct {
		revoked []rescind.Revocation
		want    error
	}{
		"nothing":           {nil, nil},
		"the token":         {[]rescind.Revocation{key(rescind.ScopeJTI, "id"), key(rescind.ScopeSID, "s")}, nil},
		"its client":        {[]rescind.Revocation{key(rescind.ScopeClientID, "app")}, nil},
		"another key":       {[]rescind.Revocation{key(rescind.ScopeKID, "k2")}, nil},
		"its key":           {[]rescind.Revocation{key(rescind.ScopeKID, "k1")}, ErrRevoked},
		"the issuer so far": {[]rescind.Revocation{{Key: rescind.Key{Scope: rescind.ScopeIss, Issuer: testIssuer}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(atEpoch)
			for _, r := range c.revoked {
				n.revoke(t, r)
			}
			v := newVerifier(t, n, nil, trusted)
			_, err := v.VerifyToRevoke(raw, Inspection{})
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	n := newNode(atEpoch)
	v := newVerifier(t, n, nil, trusted)
	for verdict, want := range map[rescind.Verdict]error{rescind.Stale: nil, rescind.Unknown: ErrNotReady} {
		n.override = verdict
		_, err := v.VerifyToRevoke(raw, Inspection{})
		wantError(t, err, want)
	}
}
