package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"rescind"
)

// FuzzRevocationBody asserts that every body is either refused with a problem,
// or revokes one valid key within sane times.
func FuzzRevocationBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"scope":"jti","id":"x"}`, `{"scope":"sub","iss":"i","id":"x","issued_before":1700000000.5,"expires_at":"2030-01-01T00:00:00Z","reason":"r"}`,
		`{"token":"a.b.c"}`, `{"scope":"iss"}`, `{"scope":"jti","id":"\u0000sha256:x"}`, `{"scope":"jti","id":"x","expires_at":1e18}`, `{"scope":"jti","id":"x"}{}`,
		`{"id":"x","id":"y"}`, "{\"id\":\"\xff\"}", `[[[[[[[[[[`, `{"scope":{"scope":{"scope":{}}}}`, `{"token":"` + access(f) + `"}`,
	} {
		f.Add(seed)
	}
	r := newRig(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := r.in(t)
		rec := r.post("/v1/revocations", body)
		calls := r.node.all()
		switch rec.Code {
		case http.StatusCreated:
			if len(calls) != 1 {
				t.Fatalf("%q: 201 with %d revocations", body, len(calls))
			}
			checkRevocation(t, calls[0].rev)
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if len(calls) != 0 {
				t.Fatalf("%q: refused, and yet revoked", body)
			}
		default:
			t.Fatalf("%q: %d %s", body, rec.Code, rec.Body)
		}
	})
}

func checkRevocation(t *testing.T, rev rescind.Revocation) {
	t.Helper()
	if err := rev.Validate(); err != nil {
		t.Fatal(err)
	}
	_, expires, err := rev.Times(time.Now(), 30*24*time.Hour)
	if err != nil || expires.Time().After(time.Now().Add(30*24*time.Hour+2*rescind.MaxLeeway)) {
		t.Fatal(expires, err)
	}
}

// FuzzIntrospect asserts that no form makes introspection answer anything but
// its three answers.
func FuzzIntrospect(f *testing.F) {
	raw := access(f)
	for _, seed := range []string{"token=" + raw, "token=" + raw[:len(raw)-1], "token=a&token=b", "token=%zz", "token=a.b.c&token_type_hint=x", "", "token=" + strings.Repeat(".", 100)} {
		f.Add(seed)
	}
	r := newRig(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := r.in(t)
		rec := r.form("/oauth2/introspect", testAdmin, body)
		answer := rec.Body.String()
		switch rec.Code {
		case http.StatusOK:
			form, _ := url.ParseQuery(body)
			if answer != `{"active":false}` && !genuine(form.Get("token")) {
				t.Fatalf("%q: %s", body, answer)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			if !strings.HasPrefix(answer, `{"error":"invalid_request"`) {
				t.Fatalf("%q: %s", body, answer)
			}
		default:
			t.Fatalf("%q: %d %s", body, rec.Code, answer)
		}
	})
}

// genuine reports whether a token was signed with the key. A fuzzing process judges
// seeds that another one has made, at another time.
func genuine(raw string) bool {
	_, err := jwt.Parse(raw, func(*jwt.Token) (any, error) { return testKey, nil }, jwt.WithValidMethods([]string{"HS256"}))
	return err == nil
}

// FuzzEventClaims signs any claims as an event and as a logout token: whatever a
// transmitter sends, it revokes valid keys of its own issuer alone, and nothing
// that began after now.
func FuzzEventClaims(f *testing.F) {
	for _, seed := range []string{
		`{"format":"iss_sub","iss":"https://issuer.example","sub":"alice"}`, `{"format":"opaque","id":"x"}`, `{"format":"email","email":"a@b"}`,
		`{"format":"complex","user":{"format":"opaque","id":"u"},"session":{"format":"opaque","id":"s"}}`, `{"user":{"user":{"user":null}}}`,
		`null`, `[]`, `{"format":"iss_sub","iss":"https://other.example","sub":"x"}`, `{"format":"opaque","id":"\u0000"}`, `{"format":7}`,
	} {
		f.Add(seed, 1.7e9, sessionRevoked)
	}
	f.Add(`{"format":"opaque","id":"x"}`, 1e300, disabled)
	f.Add(`{"format":"opaque","id":"x"}`, -1.0, logoutEvent)
	r := newRig(f, func(c *Config) {
		c.EventAudience, c.LogoutAudience, c.EmailIsSubject = map[string][]string{testIssuer: {receiver}}, map[string][]string{testIssuer: {receiver}}, true
	})
	f.Fuzz(func(t *testing.T, subject string, at float64, kind string) {
		r := r.in(t)
		var about any
		if json.Unmarshal([]byte(subject), &about) != nil {
			about = subject
		}
		claims := event(kind, about)
		claims["events"] = object{kind: object{"event_timestamp": at}}
		if _, err := json.Marshal(claims); err != nil || !utf8.ValidString(kind) {
			return // can't be sent at all
		}
		r.push(sign(t, "secevent+jwt", claims))
		claims["sub"], claims["exp"] = about, time.Now().Add(time.Minute).Unix()
		r.form("/v1/backchannel-logout", "", "logout_token="+sign(t, "logout+jwt", claims))
		for _, c := range r.node.all() {
			checkRevocation(t, c.rev)
			if c.rev.Issuer != testIssuer || c.rev.Scope == rescind.ScopeSub && c.rev.IssuedBefore.After(time.Now().Add(time.Second)) {
				t.Fatalf("%+v", c.rev)
			}
		}
	})
}
