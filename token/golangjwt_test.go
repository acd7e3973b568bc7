package token

import (
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rescind"
)

// userClaims are those of a program that uses golang-jwt.
type userClaims struct {
	jwt.RegisteredClaims
	Roles []string `json:"roles"`
	Level int      `json:"level"`
}

var errLevel = errors.New("level too low")

func (c *userClaims) Validate() error {
	if c.Level < 3 {
		return errLevel
	}
	return nil
}

func TestParseWithClaims(t *testing.T) {
	n := newNode(atEpoch)
	v := newVerifier(t, n, nil, hsIssuer())
	raw := signHS(`{"alg":"HS256","typ":"JWT"}`, payload(`"jti":"a","roles":["admin"],"level":3`))
	claims := new(userClaims)
	token, err := v.ParseWithClaims(raw, claims)
	if err != nil {
		t.Fatal(err)
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(raw, new(userClaims)) // what golang-jwt makes of it
	if err != nil {
		t.Fatal(err)
	}
	got := token.Claims.(*userClaims)
	if !token.Valid || got != claims || claims.ID != "a" || claims.Subject != "alice" || claims.Roles[0] != "admin" || !claims.ExpiresAt.Equal(epoch.Add(time.Hour)) {
		t.Errorf("%+v", token)
	}
	if token.Method != parsed.Method || token.Header["typ"] != parsed.Header["typ"] || len(token.Signature) != 32 || token.Raw != raw {
		t.Errorf("%+v; golang-jwt has %+v", token, parsed)
	}
	m := jwt.MapClaims{}
	if _, err := v.ParseWithClaims(raw, m); err != nil || m["sub"] != "alice" {
		t.Errorf("%v, %v", m, err)
	}
	if c, err := ClaimsAs[struct {
		Level int `json:"level"`
	}](must(v.Verify(raw))); err != nil || c.Level != 3 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := v.ParseWithClaims(raw, jwt.RegisteredClaims{}); err == nil {
		t.Error("claims that can't be filled are accepted")
	}
	if _, err := v.ParseWithClaims(raw, jwt.MapClaims(nil)); err == nil {
		t.Error("a nil map is accepted")
	}
	if _, err := v.ParseWithClaims(signHS(hsHeader, payload(`"level":2`)), claims); !errors.Is(err, errLevel) || !errors.Is(err, jwt.ErrTokenInvalidClaims) {
		t.Errorf("the program's own validation: %v", err)
	}
	n.revoke(t, must(v.Verify(raw)).This())
	if _, err := v.ParseWithClaims(raw, claims); !errors.Is(err, ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
}

// Programs that ask errors.Is for golang-jwt's errors go on working.
func TestParseWithClaimsSpeaksGolangJWT(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	good := signHS(hsHeader, payload(""))
	for raw, want := range map[string][2]error{
		"a.b":              {jwt.ErrTokenMalformed, ErrMalformed},
		good[:len(good)-2]: {jwt.ErrTokenMalformed, ErrMalformed},
		signHS(hsHeader, `{"iss":"https://issuer.example","aud":"https://api.example","exp":1}`): {jwt.ErrTokenExpired, ErrExpired},
		signHS(hsHeader, payload(`"nbf":1900000000`)):                                            {jwt.ErrTokenNotValidYet, ErrNotYetValid},
		signHS(hsHeader, `{"iss":"https://issuer.example","aud":"x","exp":1800000100}`):          {jwt.ErrTokenInvalidAudience, ErrAudience},
		signHS(hsHeader, `{"iss":"x","exp":1800000100}`):                                         {jwt.ErrTokenInvalidIssuer, ErrUnknownIssuer},
		good[:len(good)-5] + "AAAAA":                                                             {jwt.ErrTokenSignatureInvalid, ErrSignature},
	} {
		_, err := v.ParseWithClaims(raw, new(userClaims))
		if !errors.Is(err, want[0]) || !errors.Is(err, want[1]) {
			t.Errorf("%q: %v, want %v and %v", raw, err, want[0], want[1])
		}
	}
}

// What this node can't know is no fault of the token's: programs that answer
// invalid claims by 401 must not see one.
func TestParseWithClaimsStale(t *testing.T) {
	for verdict, want := range map[rescind.Verdict]error{rescind.Stale: ErrStale, rescind.Unknown: ErrNotReady} {
		n := newNode(atEpoch)
		n.override = verdict
		_, err := newVerifier(t, n, nil, hsIssuer()).ParseWithClaims(signHS(hsHeader, payload("")), new(userClaims))
		if !errors.Is(err, want) || !errors.Is(err, jwt.ErrTokenUnverifiable) || errors.Is(err, jwt.ErrTokenInvalidClaims) {
			t.Errorf("%v: %v", verdict, err)
		}
	}
}
