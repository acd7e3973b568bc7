package httpapi

import (
	"encoding/base64"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"rescind"
)

// TestCanary sends a recognisable token, identifiers and admin secret to every
// endpoint, in the right place and in every wrong one, and searches all that
// comes out: logs, bodies, headers, metrics.
func TestCanary(t *testing.T) {
	const admin = "CANARY-admin-secret-0123456789"
	raw := access(t, "sub", "CANARY-sub", "sid", "CANARY-sid", "jti", "CANARY-jti", "iat", 1700000000)
	odd := raw[:len(raw)-4] + "AAAA"
	signature := raw[strings.LastIndexByte(raw, '.')+1:][:20]
	payload := strings.Split(raw, ".")[1][:40]
	r := newRig(t, func(c *Config) {
		c.AdminToken, c.LogoutAudience = []byte(admin), map[string][]string{testIssuer: {"api"}}
	})
	r.api.Drain() // so that streams end
	r.node.status = fullStatus()

	var out strings.Builder
	collect := func(rec *httptest.ResponseRecorder) {
		for name, values := range rec.Header() {
			if !strings.HasPrefix(name, "X-Auth-") { // these are meant to tell
				out.WriteString(strings.Join(values, "\n") + "\n")
			}
		}
		out.Write(rec.Body.Bytes())
	}
	for _, verdict := range []rescind.Verdict{rescind.Valid, rescind.Stale, rescind.Unknown, rescind.Revoked} {
		r.node.verdict = verdict
		for _, rt := range r.api.table() {
			for _, bearer := range []string{"", raw, odd, admin, admin + "x"} {
				if (rt.path == "/oauth2/introspect" || rt.path == "/v1/explain") && bearer == admin {
					continue // their very purpose is to tell the claims; TestIntrospect and TestExplain look at them
				}
				for _, query := range []string{"?ack=" + admin, "?" + url.QueryEscape(raw) + "=1", "?timeout=" + raw} {
					collect(r.do(methodOf(rt), rt.path+query, bearer, "CANARY/"+admin, raw))
				}
				for _, body := range canaryBodies(raw, odd, admin) {
					collect(r.do(methodOf(rt), rt.path, bearer, mediaTypeOf(body), body))
				}
			}
			collect(r.do("CANARY-METHOD", rt.path, raw, "", ""))
			collect(r.do("GET", rt.path+"/CANARY-path/"+raw, raw, "", ""))
		}
	}
	collect(r.do("POST", consumePath, admin, "application/json", `{"mode":"strict","token":"`+odd+`"}`))
	r.node.verdict = rescind.Valid
	r.node.forget()
	young := access(t, "sub", "CANARY-sub", "sid", "CANARY-sid", "jti", "CANARY-jti")
	use := `{"mode":"strict","token":"` + young + `"}`
	wantStatus(t, r.do("POST", consumePath, admin, "application/json", use), 200) // its answer is meant to tell
	collect(r.do("POST", consumePath, admin, "application/json", use))
	signatures := []string{signature, young[strings.LastIndexByte(young, '.')+1:][:20]}
	collect(r.do("GET", "/metrics", "", "", ""))
	for name, text := range map[string]string{"log": r.log.String(), "answers": out.String()} {
		for _, secret := range append(signatures, "CANARY", payload, base64.RawURLEncoding.EncodeToString([]byte("CANARY-jti"))) {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s tells %q: ...%s...", name, secret, text[max(0, i-200):min(len(text), i+80)])
			}
		}
	}
	if !strings.Contains(r.log.String(), `"msg":"revoked"`) {
		t.Error("nothing was revoked, so that the audit trail was not searched")
	}
}

func canaryBodies(raw, odd, admin string) []string {
	return []string{
		`{"token":"` + raw + `"}`, `{"token":"` + odd + `"}`, `{"` + raw + `":1}`, `{"` + admin + `":1,"` + admin + `":1}`,
		`{"scope":"` + raw + `"}`, `{"scope":"sub","id":"CANARY-sub"}`, `{"scope":"jti","id":"CANARY-jti","expires_at":"` + raw + `"}`,
		`{"scope":"sid","id":"CANARY-sid","iss":"` + raw + `"}`, `{"token":"` + raw, `{"token":` + raw + `}`,
		"token=" + raw, "token=" + odd, "token=" + raw + "&client_id=CANARY", "token=" + raw + "&token=" + raw, "token=%zz" + admin, raw,
		"logout_token=" + raw, "logout_token=" + odd, "token=" + raw + "&client_id=" + admin + "&client_secret=" + raw,
	}
}

func methodOf(rt route) string {
	if rt.method == anyMethod {
		return "POST"
	}
	return rt.method
}

func mediaTypeOf(body string) string {
	if strings.HasPrefix(body, "{") {
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}
