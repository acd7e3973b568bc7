package httpapi

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rescind"
)

const relyingParty = "client-at-the-provider"

// logoutRig knows one issuer's logout tokens.
func logoutRig(t testing.TB) *rig {
	return newRig(t, func(c *Config) { c.LogoutAudience = map[string][]string{testIssuer: {relyingParty}} })
}

// logoutClaimsOf are those of a good logout token; pairs change them as in claims.
func logoutClaimsOf(pairs ...any) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": testIssuer, "aud": relyingParty, "iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(),
		"jti": "logout-1", "sub": "alice", "sid": "session-1", "events": map[string]any{logoutEvent: map[string]any{}},
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(c, pairs[i].(string))
		} else {
			c[pairs[i].(string)] = pairs[i+1]
		}
	}
	return c
}

func (r *rig) logout(raw string) int {
	r.t.Helper()
	rec := r.form("/v1/backchannel-logout", "", "logout_token="+raw)
	if rec.Header().Get("Cache-Control") != "no-store" {
		r.t.Error("the answer may be cached")
	}
	switch rec.Code {
	case http.StatusOK:
		if rec.Body.Len() != 0 {
			r.t.Errorf("body %s", rec.Body)
		}
	case http.StatusBadRequest:
		wantOAuthError(r.t, rec, http.StatusBadRequest, "invalid_request")
	}
	return rec.Code
}

func TestBackchannelLogoutOfASession(t *testing.T) {
	for _, typ := range []string{"logout+jwt", "JWT", "Logout+JWT", "application/logout+jwt"} {
		r := logoutRig(t)
		if got := r.logout(sign(t, typ, logoutClaimsOf())); got != http.StatusOK {
			t.Fatalf("typ %s: %d", typ, got)
		}
		wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
		wantStatus(t, r.do("GET", "/v1/check", access(t, "sid", "session-2"), "", ""), http.StatusOK)
	}
}

// Who has stolen a key logs nobody out with it once it has been revoked. That the
// session or the subject has been revoked before is no reason to refuse.
func TestBackchannelLogoutOfARevokedSigner(t *testing.T) {
	r := logoutRig(t)
	wantStatus(t, r.post("/v1/revocations", `{"scope":"sub","id":"alice"}`), http.StatusCreated)
	if got := r.logout(sign(t, "logout+jwt", logoutClaimsOf())); got != http.StatusOK {
		t.Errorf("of a subject that has been revoked: %d", got)
	}
	r.node.revokeForEver(rescind.Key{Scope: rescind.ScopeIss, Issuer: testIssuer, ID: testIssuer})
	if got := r.logout(sign(t, "logout+jwt", logoutClaimsOf("jti", "late"))); got != http.StatusBadRequest {
		t.Errorf("of an issuer that has been revoked: %d", got)
	}
}

// Without sid everything of the subject ends that was there when the token was
// made, and nothing later.
func TestBackchannelLogoutOfASubject(t *testing.T) {
	r := logoutRig(t)
	at := time.Now().Add(-10 * time.Second)
	if got := r.logout(sign(t, "logout+jwt", logoutClaimsOf("sid", nil, "iat", at.Unix()))); got != http.StatusOK {
		t.Fatal(got)
	}
	wantStatus(t, r.do("GET", "/v1/check", access(t, "sid", "other"), "", ""), http.StatusUnauthorized)
	wantStatus(t, r.do("GET", "/v1/check", access(t, "iat", float64(at.Unix())+0.9), "", ""), http.StatusUnauthorized)
	wantStatus(t, r.do("GET", "/v1/check", access(t, "iat", at.Unix()+1), "", ""), http.StatusOK)
	wantStatus(t, r.do("GET", "/v1/check", access(t, "sub", "bob"), "", ""), http.StatusOK)
}

// TestBackchannelLogoutRefuses has the negative cases of the specification's
// conformance tests first, and then what else section 2.6 asks for.
func TestBackchannelLogoutRefuses(t *testing.T) {
	good := sign(t, "logout+jwt", logoutClaimsOf())
	none := jwt.NewWithClaims(jwt.SigningMethodNone, logoutClaimsOf())
	unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	otherAlg, err := jwt.NewWithClaims(jwt.SigningMethodHS384, logoutClaimsOf()).SignedString(append(testKey, testKey...))
	if err != nil {
		t.Fatal(err)
	}
	one := func(pairs ...any) string { return sign(t, "logout+jwt", logoutClaimsOf(pairs...)) }
	for name, raw := range map[string]string{
		"alg none":               unsigned,
		"wrong alg":              otherAlg,
		"wrong aud":              one("aud", "somebody-else"),
		"wrong iss":              one("iss", "https://other.example"),
		"no event":               one("events", nil),
		"wrong event":            one("events", map[string]any{"http://schemas.openid.net/event/other": map[string]any{}}),
		"with nonce":             one("nonce", "n"),
		"neither sid nor sub":    one("sid", nil, "sub", nil),
		"bad signature":          good[:len(good)-6] + "AAAAAA",
		"no aud":                 one("aud", nil),
		"aud of access tokens":   one("aud", "api"),
		"no jti":                 one("jti", nil),
		"no iat":                 one("iat", nil),
		"no exp":                 one("exp", nil),
		"expired":                one("exp", time.Now().Add(-time.Hour).Unix()),
		"issued in the future":   one("iat", time.Now().Add(time.Hour).Unix()),
		"null nonce":             one("nonce", nullClaim{}),
		"events is an array":     one("events", []string{logoutEvent}),
		"the event is no object": one("events", map[string]any{logoutEvent: true}),
		"an access token":        access(t),
		"typ of access tokens":   sign(t, "at+jwt", logoutClaimsOf()),
		"a refresh token":        refresh(t),
		"nothing like a token":   "x",
	} {
		t.Run(name, func(t *testing.T) {
			r := logoutRig(t)
			if got := r.logout(raw); got != http.StatusBadRequest {
				t.Errorf("answers %d", got)
			}
			if len(r.node.all()) != 0 {
				t.Error("something was revoked")
			}
		})
	}
}

// nullClaim is a claim whose value is null.
type nullClaim struct{}

func (nullClaim) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

func TestBackchannelLogoutWorksOnce(t *testing.T) {
	r := logoutRig(t)
	raw := sign(t, "logout+jwt", logoutClaimsOf())
	if first, second := r.logout(raw), r.logout(raw); first != 200 || second != 400 {
		t.Errorf("answers %d, then %d", first, second)
	}
	if got := r.logout(sign(t, "logout+jwt", logoutClaimsOf("jti", "logout-2"))); got != 200 {
		t.Errorf("another token answers %d", got)
	}
	// Also of many at the same time one is accepted at most at once.
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	raw = sign(t, "logout+jwt", logoutClaimsOf("jti", "logout-3"))
	for range 16 {
		all.Go(func() {
			got := r.logout(raw)
			mu.Lock()
			defer mu.Unlock()
			codes[got]++
		})
	}
	all.Wait()
	if codes[200] != 1 || codes[400] != 15 {
		t.Errorf("answers %v", codes)
	}
}

// A logout token is nobody's access token, and an access token called like it
// goes on.
func TestBackchannelLogoutTokensOpenNothing(t *testing.T) {
	r := newRig(t, func(c *Config) { c.LogoutAudience = map[string][]string{testIssuer: {"api"}} })
	raw := sign(t, "logout+jwt", logoutClaimsOf("aud", "api"))
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
	if got := r.logout(raw); got != 200 {
		t.Errorf("answers %d", got)
	}
	wantStatus(t, r.do("GET", "/v1/check", access(t, "jti", "logout-1", "sid", "other"), "", ""), http.StatusOK)
}

func TestBackchannelLogoutThatCannotBeKeptMayBeTriedAgain(t *testing.T) {
	r := logoutRig(t)
	raw := sign(t, "logout+jwt", logoutClaimsOf())
	r.node.err = rescind.ErrFull
	wantOAuthError(t, r.form("/v1/backchannel-logout", "", "logout_token="+raw), http.StatusServiceUnavailable, "temporarily_unavailable")
	r.node.err = nil
	r.node.verdict = rescind.Unknown
	wantOAuthError(t, r.form("/v1/backchannel-logout", "", "logout_token="+raw), http.StatusServiceUnavailable, "temporarily_unavailable")
	r.node.verdict = rescind.Stale
	if got := r.logout(raw); got != 200 {
		t.Errorf("answers %d", got)
	}
}

func TestBackchannelLogoutBadRequests(t *testing.T) {
	r := logoutRig(t)
	raw := sign(t, "logout+jwt", logoutClaimsOf())
	for _, body := range []string{"", "token=" + raw, "logout_token=", "logout_token=" + raw + "&logout_token=" + raw, "logout_token=%zz"} {
		wantOAuthError(t, r.form("/v1/backchannel-logout", "", body), http.StatusBadRequest, "invalid_request")
	}
	wantOAuthError(t, r.form("/v1/backchannel-logout?logout_token="+raw, "", "x=y"), http.StatusBadRequest, "invalid_request")
	wantOAuthError(t, newRig(t).form("/v1/backchannel-logout", "", "logout_token="+raw), http.StatusForbidden, "access_denied")
	if strings.Contains(r.log.String(), raw) {
		t.Error("the log tells the token")
	}
}
