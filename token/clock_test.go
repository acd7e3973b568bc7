package token

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"rescind"
)

// doubter is a node that knows whether its clock is right, and consumes anything.
type doubter struct {
	*node
	knows bool
}

func (d *doubter) KnowsTime() bool { return d.knows }

func (d *doubter) Consume(context.Context, rescind.Token, rescind.Mode) error { return nil }

// TestNeverRefusedByAClockInDoubt: whatever a token's times are, and whatever the clock
// shows, nobody is told 401 for a reason of time by a node that is not ready, or whose
// clock is contradicted; one that is known to be revoked is refused all the same. Where
// the clock is relied upon, the same tokens are refused for their times.
func TestNeverRefusedByAClockInDoubt(t *testing.T) {
	keys, err := GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	byTime := 0
	rapid.Check(t, func(rt *rapid.T) {
		offset := func(name string) time.Duration {
			return time.Duration(rapid.Int64Range(-int64(400*24*time.Hour), int64(400*24*time.Hour)).Draw(rt, name))
		}
		shown := epoch.Add(offset("clock"))
		n := &doubter{node: newNode(func() time.Time { return shown }), knows: rapid.Bool().Draw(rt, "knows")}
		ready := rapid.Bool().Draw(rt, "ready")
		if !ready || !n.knows {
			n.override = rescind.Unknown
		}
		var checker Checker = n
		if rapid.Bool().Draw(rt, "plain") { // a Checker that knows nothing of clocks
			checker = n.node
		}
		n.knows = n.knows && ready
		revoked := rapid.Bool().Draw(rt, "revoked")
		if revoked {
			n.records[rescind.Key{Scope: rescind.ScopeSub, Issuer: testIssuer, ID: "alice"}] = rescind.Record{IssuedBefore: rescind.Ever}
		}
		v, err := NewVerifier(t.Context(), VerifierConfig{Issuers: []IssuerConfig{hsIssuer()}, Checker: checker, Now: func() time.Time { return shown }})
		if err != nil {
			rt.Fatal(err)
		}
		defer v.Close()
		issuer, err := NewIssuer(SignerConfig{Issuer: testIssuer, Keys: keys, Checker: checker, Revoker: n, Now: func() time.Time { return shown }})
		if err != nil {
			rt.Fatal(err)
		}
		claims := map[string]any{"iss": testIssuer, "aud": testAudience, "sub": "alice", "jti": "a", "exp": epoch.Add(offset("exp")).Unix()}
		for _, name := range []string{"iat", "nbf"} {
			if rapid.Bool().Draw(rt, "with "+name) {
				claims[name] = epoch.Add(offset(name)).Unix()
			}
		}
		payload, err := json.Marshal(claims)
		if err != nil {
			rt.Fatal(err)
		}
		raw := signHS(hsHeader, string(payload))
		rt.Logf("at %v: %s", shown, claims)
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("Authorization", "Bearer "+raw)
		answer := httptest.NewRecorder()
		Middleware(v)(http.NotFoundHandler()).ServeHTTP(answer, request)
		if answer.Code == http.StatusNotFound { // the handler's
			answer.Code = http.StatusOK
		}
		_, verified := v.Verify(raw)
		if Status(verified) != answer.Code {
			rt.Errorf("Verify says %v, and the middleware %d", verified, answer.Code)
		}
		_, fresh := v.VerifyFresh(t.Context(), raw, Freshness{AcceptStale: true})
		_, inspected := v.VerifyIgnoringRevocation(raw, Inspection{})
		_, used := v.Consume(t.Context(), n, raw, rescind.Available)
		_, refreshed := issuer.Refresh(t.Context(), refreshOf(rt, keys, claims))
		for what, err := range map[string]error{"Verify": verified, "VerifyFresh": fresh, "VerifyIgnoringRevocation": inspected, "Consume": used, "Refresh": refreshed} {
			if restsOnTime(err) {
				byTime++
			}
			switch {
			case !n.knows && (restsOnTime(err) || Status(err) == http.StatusUnauthorized && !errors.Is(err, ErrRevoked) && what != "Refresh"):
				rt.Errorf("%s by a clock in doubt: %v", what, err)
			case !n.knows && err == nil && (what == "Verify" || what == "VerifyFresh"):
				rt.Errorf("%s passes while nothing is known", what)
			case revoked && (what == "Verify" || what == "VerifyFresh") && !errors.Is(err, ErrRevoked) && !restsOnTime(err):
				rt.Errorf("%s of a revoked token: %v", what, err)
			case n.knows && errors.Is(err, errClock):
				rt.Errorf("%s doubts a clock that is relied upon", what)
			}
		}
	})
	if byTime == 0 {
		t.Error("no token was refused for its times; the test tests nothing")
	}
}

// refreshOf signs claims as a refresh token of the issuer with these keys.
func refreshOf(t *rapid.T, keys *KeySet, claims map[string]any) string {
	payload := maps.Clone(claims)
	payload["sid"] = "s"
	key := keys.current()
	raw, err := key.sign(map[string]any{"alg": "ES256", "typ": TypeRefresh, "kid": key.kid}, payload)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestAClockThatJumpsWhileItIsRead: the clock that refused has jumped since the node
// looked at it, or is set right before the node is asked.
func TestAClockThatJumpsWhileItIsRead(t *testing.T) {
	n := &doubter{node: newNode(atEpoch), knows: true}
	n.override = rescind.Valid
	reads := 0
	v, err := NewVerifier(t.Context(), VerifierConfig{Issuers: []IssuerConfig{hsIssuer()}, Checker: n, Now: func() time.Time {
		if reads++; reads == 1 {
			return epoch.Add(24 * time.Hour)
		}
		return epoch
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.Verify(signHS(hsHeader, payload(`"jti":"a"`))); err != nil {
		t.Errorf("a clock that was set right while it judged refuses by what it had shown: %v", err)
	}
}
