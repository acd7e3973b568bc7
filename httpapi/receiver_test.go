package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rescind"
	"rescind/httpapi/ssf"
	"rescind/internal/problem"
)

const (
	receiver       = "https://api.example/events"
	sessionRevoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	credential     = "https://schemas.openid.net/secevent/caep/event-type/credential-change"
	disabled       = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
	verification   = "https://schemas.openid.net/secevent/ssf/event-type/verification"
)

func eventRig(t testing.TB) *rig {
	return newRig(t, func(c *Config) {
		c.EventAudience, c.EmailIsSubject = map[string][]string{testIssuer: {receiver}}, true
	})
}

type object = map[string]any

var (
	bySub     = object{"format": "iss_sub", "iss": testIssuer, "sub": "alice"}
	bySession = object{"format": "complex", "user": bySub, "session": object{"format": "opaque", "id": "session-1"}}
)

// event returns the claims of a good event of this type about subject; pairs change
// them as in claims.
func event(kind string, subject any, pairs ...any) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": testIssuer, "aud": receiver, "iat": time.Now().Add(-time.Second).Unix(), "jti": "event-1",
		"sub_id": subject, "events": object{kind: object{}},
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

func (r *rig) push(raw string) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.do("POST", "/v1/security-events", "", "application/secevent+jwt", raw)
}

func (r *rig) pushed(c jwt.MapClaims) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.push(sign(r.t, "secevent+jwt", c))
}

func TestSecurityEventsEndSessions(t *testing.T) {
	at := time.Now().Add(-10 * time.Second)
	before, after := access(t, "sid", "x", "iat", at.Unix()-1), access(t, "sid", "x", "iat", at.Unix()+1)
	draft := event(sessionRevoked, nil)
	draft["events"] = object{sessionRevoked: object{"subject": object{"subject_type": "iss-sub", "iss": testIssuer, "sub": "alice"}, "event_timestamp": at.Unix()}}
	for name, claims := range map[string]jwt.MapClaims{
		"session-revoked of a subject": event(sessionRevoked, bySub, "iat", at.Unix()),
		"credential-change":            event(credential, bySub, "iat", at.Unix()),
		"account-disabled":             event(disabled, bySub, "iat", at.Unix()),
		"opaque":                       event(disabled, object{"format": "opaque", "id": "alice"}, "iat", at.Unix()),
		"complex":                      event(disabled, bySession, "iat", at.Unix()),
		"a draft's form, and its time": draft,
	} {
		t.Run(name, func(t *testing.T) {
			r := eventRig(t)
			rec := r.pushed(claims)
			wantStatus(t, rec, http.StatusAccepted)
			if rec.Body.Len() != 0 || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s %v", rec.Body, rec.Header())
			}
			wantStatus(t, r.do("GET", "/v1/check", before, "", ""), http.StatusUnauthorized)
			wantStatus(t, r.do("GET", "/v1/check", after, "", ""), http.StatusOK) // began afterwards
			wantStatus(t, r.do("GET", "/v1/check", access(t, "sub", "bob", "iat", at.Unix()-1), "", ""), http.StatusOK)
			wantStatus(t, r.pushed(claims), http.StatusAccepted) // once more
			wantStatus(t, r.do("GET", "/v1/check", after, "", ""), http.StatusOK)
		})
	}
}

func TestSecurityEventOfOneSession(t *testing.T) {
	r := eventRig(t)
	wantStatus(t, r.pushed(event(sessionRevoked, bySession)), http.StatusAccepted)
	wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
	wantStatus(t, r.do("GET", "/v1/check", access(t, "sid", "session-2"), "", ""), http.StatusOK)
}

func TestSecurityEventByEmail(t *testing.T) {
	byEmail := event(disabled, object{"format": "email", "email": "alice@example.com"})
	raw := access(t, "sub", "alice@example.com")
	r := eventRig(t)
	wantStatus(t, r.pushed(byEmail), http.StatusAccepted)
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
	off := newRig(t, func(c *Config) { c.EventAudience = map[string][]string{testIssuer: {receiver}} })
	wantStatus(t, off.pushed(byEmail), http.StatusBadRequest)
}

// TestOneBadEventOfSeveral: what a transmitter is refused it never sends again, so
// the events beside it count at once.
func TestOneBadEventOfSeveral(t *testing.T) {
	for range 20 { // the order of a map
		r := eventRig(t)
		rec := r.pushed(event("", nil, "sub_id", nil, "events", object{
			sessionRevoked: object{"subject": bySession},
			disabled:       object{"subject": object{"format": "phone_number", "phone_number": "+1"}},
		}))
		wantStatus(t, rec, http.StatusBadRequest)
		wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)

		r = eventRig(t)
		endless := object{"format": "complex", "user": bySub, "session": object{"format": "opaque", "id": strings.Repeat("x", 5000)}}
		rec = r.pushed(event("", nil, "sub_id", nil, "events", object{sessionRevoked: object{"subject": endless}, disabled: object{"subject": bySub}}))
		wantStatus(t, rec, http.StatusBadRequest)
		wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
	}
}

// TestUnknownEventsAreIgnored, whatever their form (RFC 8417, section 2).
func TestUnknownEventsAreIgnored(t *testing.T) {
	r := eventRig(t)
	wantStatus(t, r.pushed(event("", nil, "sub_id", nil, "events", object{
		"https://example.com/other": object{"subject": "alice", "event_timestamp": "today"},
		disabled:                    object{"subject": bySub},
	})), http.StatusAccepted)
	wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
}

// TestEventsOfARevokedSigner: who has stolen keys logs nobody out with them once
// they, or all of their issuer for ever, have been revoked. That all of the issuer
// up to a moment has been revoked does not make its events untrue.
func TestEventsOfARevokedSigner(t *testing.T) {
	r := eventRig(t)
	raw := sign(t, "secevent+jwt", event(disabled, bySub))
	wantStatus(t, r.post("/v1/revocations", `{"scope":"iss","id":"`+testIssuer+`"}`), http.StatusCreated)
	wantStatus(t, r.push(raw), http.StatusAccepted)
	r.node.revokeForEver(rescind.Key{Scope: rescind.ScopeIss, Issuer: testIssuer, ID: testIssuer})
	n := len(r.node.all())
	rec := r.push(raw)
	wantStatus(t, rec, http.StatusBadRequest)
	if got := decode[ssf.Refusal](t, rec.Body); got.Code != "invalid_key" || len(r.node.all()) != n {
		t.Errorf("%+v, %d revocations", got, len(r.node.all())-n)
	}
}

func TestSecurityEventsThatEndNothing(t *testing.T) {
	r := eventRig(t)
	wantStatus(t, r.pushed(event(verification, nil, "events", object{verification: object{"state": "s"}})), http.StatusAccepted)
	wantStatus(t, r.pushed(event("https://example.com/other", bySub)), http.StatusAccepted)
	if len(r.node.all()) != 0 {
		t.Error("something was revoked")
	}
}

func TestSecurityEventsAreValidated(t *testing.T) {
	good := sign(t, "secevent+jwt", event(disabled, bySub))
	one := func(pairs ...any) string { return sign(t, "secevent+jwt", event(disabled, bySub, pairs...)) }
	about := func(subject any) string { return sign(t, "secevent+jwt", event(disabled, subject)) }
	for name, c := range map[string]struct{ raw, err string }{
		"bad signature":            {good[:len(good)-6] + "AAAAAA", "invalid_key"},
		"wrong iss":                {one("iss", "https://other.example"), "invalid_issuer"},
		"wrong aud":                {one("aud", "other"), "invalid_audience"},
		"no aud":                   {one("aud", nil), "invalid_audience"},
		"no iat":                   {one("iat", nil), "invalid_request"},
		"no jti":                   {one("jti", nil), "invalid_request"},
		"with exp":                 {one("exp", time.Now().Add(time.Hour).Unix()), "invalid_request"},
		"from the future":          {one("iat", time.Now().Add(time.Hour).Unix()), "invalid_request"},
		"no events":                {one("events", nil), "invalid_request"},
		"events is a list":         {one("events", []string{disabled}), "invalid_request"},
		"no subject":               {one("sub_id", nil), "invalid_request"},
		"another issuer's subject": {about(object{"format": "iss_sub", "iss": "https://other.example", "sub": "alice"}), "invalid_request"},
		"an empty subject":         {about(object{"format": "iss_sub", "iss": testIssuer}), "invalid_request"},
		"an unknown format":        {about(object{"format": "phone_number", "phone_number": "+1"}), "invalid_request"},
		"an access token":          {access(t, "aud", receiver), "invalid_request"},
		"typ of access tokens":     {sign(t, "at+jwt", event(disabled, bySub)), "invalid_request"},
		"typ JWT":                  {sign(t, "JWT", event(disabled, bySub)), "invalid_request"},
		"a logout token":           {sign(t, "logout+jwt", logoutClaimsOf("aud", receiver)), "invalid_request"},
		"nothing like a token":     {"x", "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			r := eventRig(t)
			rec := r.push(c.raw)
			wantStatus(t, rec, http.StatusBadRequest)
			if rec.Header().Get("Content-Language") == "" {
				t.Error("the error names no language")
			}
			if got := decode[ssf.Refusal](t, rec.Body); got.Code != c.err || got.Description == "" {
				t.Errorf("%+v, want %s", got, c.err)
			}
			if len(r.node.all()) != 0 {
				t.Error("something was revoked")
			}
		})
	}
}

// TestSecurityEventsOfAFastClock: a transmitter whose clock is ahead, as far as
// clocks may be, is heard at once, and shuts out nobody who logs in later.
func TestSecurityEventsOfAFastClock(t *testing.T) {
	for _, ahead := range []time.Duration{2 * time.Second, 15 * time.Second, 30 * time.Second} {
		r := eventRig(t)
		before := time.Now()
		wantStatus(t, r.pushed(event(disabled, bySub, "iat", before.Add(ahead).Unix())), http.StatusAccepted)
		calls := r.node.all()
		if len(calls) != 1 {
			t.Fatalf("%v ahead: revoked %+v", ahead, calls)
		}
		if at := calls[0].rev.IssuedBefore; at.Before(before.Truncate(time.Millisecond)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("%v ahead: revokes up to %v; it is %v", ahead, at, before)
		}
	}
}

func TestSecurityEventsThatCannotBeKept(t *testing.T) {
	r := eventRig(t)
	r.node.err = rescind.ErrFull
	wantProblem(t, r.pushed(event(disabled, bySub)), problem.Full, "")
	wantStatus(t, r.do("POST", "/v1/security-events", "", "application/json", "{}"), http.StatusUnsupportedMediaType)
	wantStatus(t, newRig(t).pushed(event(disabled, bySub)), http.StatusForbidden)
	if strings.Contains(r.log.String(), "alice") {
		t.Error("the log tells the subject")
	}
}

// An event token opens nothing.
func TestSecurityEventsAreNoAccessTokens(t *testing.T) {
	r := eventRig(t)
	wantStatus(t, r.do("GET", "/v1/check", sign(t, "secevent+jwt", event(disabled, bySub, "aud", "api", "exp", time.Now().Add(time.Hour).Unix())), "", ""), http.StatusUnauthorized)
}
