package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/token"
)

// contradicted is a node whose peers say that its clock is wrong.
type contradicted struct{ *fakeNode }

func (contradicted) KnowsTime() bool { return false }

func (n contradicted) Check(t rescind.Token) rescind.Verdict {
	if v := n.fakeNode.Check(t); v == rescind.Revoked {
		return v
	}
	return rescind.Unknown
}

// TestNoInterfaceRefusesByAClockInDoubt: every interface that judges a token answers 503
// to one whose times this machine's clock refuses, while the node is loading or its
// clock is contradicted; and otherwise as ever, so that the test would fail if it
// asked nothing.
func TestNoInterfaceRefusesByAClockInDoubt(t *testing.T) {
	now := time.Now()
	times := map[string][]any{
		"expired":         {"iat", now.Add(-48 * time.Hour).Unix(), "exp", now.Add(-24 * time.Hour).Unix()},
		"of the future":   {"iat", now.Add(24 * time.Hour).Unix(), "exp", now.Add(25 * time.Hour).Unix()},
		"not yet valid":   {"nbf", now.Add(24 * time.Hour).Unix(), "exp", now.Add(25 * time.Hour).Unix()},
		"living too long": {"iat", nil, "exp", now.Add(300 * 24 * time.Hour).Unix()},
	}
	ask := map[string]func(r *rig, raw []any) *httptest.ResponseRecorder{
		"check": func(r *rig, c []any) *httptest.ResponseRecorder {
			return r.do("GET", "/v1/check", access(r.t, c...), "", "")
		},
		"introspection": func(r *rig, c []any) *httptest.ResponseRecorder {
			return r.form("/oauth2/introspect", testAdmin, url.Values{"token": {access(r.t, c...)}}.Encode())
		},
		"log out": func(r *rig, c []any) *httptest.ResponseRecorder {
			return r.do("DELETE", "/v1/session", access(r.t, c...), "", "")
		},
		"log out everywhere": func(r *rig, c []any) *httptest.ResponseRecorder {
			return r.do("DELETE", "/v1/sessions", access(r.t, c...), "", "")
		},
		"consume": func(r *rig, c []any) *httptest.ResponseRecorder {
			return r.post(consumePath, `{"token":"`+access(r.t, c...)+`","mode":"available"}`)
		},
		"back-channel logout": func(r *rig, c []any) *httptest.ResponseRecorder {
			return r.form("/v1/backchannel-logout", "", "logout_token="+sign(r.t, "logout+jwt", logoutClaimsOf(c...)))
		},
		"a security event": func(r *rig, c []any) *httptest.ResponseRecorder {
			return r.push(sign(r.t, token.TypeEvent, event(sessionRevoked, bySession, append(c, "exp", nil)...)))
		},
	}
	for state, change := range map[string]func(*Config){
		"loading":      func(c *Config) { c.Node.(*fakeNode).verdict = rescind.Unknown },
		"contradicted": func(c *Config) { c.Verifier = newVerifier(t, contradicted{c.Node.(*fakeNode)}) },
		"sure":         func(*Config) {},
	} {
		r := newRig(t, func(c *Config) {
			c.LogoutAudience = map[string][]string{testIssuer: {relyingParty}}
			c.EventAudience = map[string][]string{testIssuer: {receiver}}
			change(c)
		})
		for what, claims := range times {
			for face, f := range ask {
				if face == "a security event" && (what == "expired" || what == "living too long") {
					continue // it has no exp
				}
				rec := f(r.in(t), claims)
				inactive := rec.Code == http.StatusOK && strings.Contains(rec.Body.String(), `"active":false`)
				switch refused := rec.Code == http.StatusUnauthorized || rec.Code == http.StatusBadRequest || inactive; {
				case state == "sure" && !refused:
					t.Errorf("%s, a token %s, a clock that is relied upon: %d %s", face, what, rec.Code, rec.Body)
				case state != "sure" && rec.Code != http.StatusServiceUnavailable:
					t.Errorf("%s, a token %s, the node is %s: %d %s", face, what, state, rec.Code, rec.Body)
				}
			}
		}
		revoked := access(t, times["expired"]...)
		r.node.revokeForEver(rescind.Key{Scope: rescind.ScopeSub, Issuer: testIssuer, ID: "alice"})
		if rec := r.do("GET", "/v1/check", revoked, "", ""); rec.Code != http.StatusUnauthorized {
			t.Errorf("a token that is known to be revoked, the node is %s: %d", state, rec.Code)
		}
	}
}
