package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestCheckRequires(t *testing.T) {
	r := newRig(t)
	raw := access(t, "scope", "read write", "aud", []string{"api", "billing"})
	for target, want := range map[string]int{
		"/v1/check?require_aud=api":                                   200,
		"/v1/check?require_aud=api&require_aud=billing":               200,
		"/v1/check?require_aud=api&require_aud=other":                 401,
		"/v1/check?require_scope=read":                                200,
		"/v1/check?require_scope=read%20write":                        200,
		"/v1/check?require_scope=read+admin":                          403,
		"/v1/check?require_scope=read&require_scope=admin":            403,
		"/v1/check?require_aud=other&require_scope=admin":             401,
		"/v1/check?require_audience=api":                              400, // a misspelt requirement would require nothing
		"/v1/check?require_iss=" + testIssuer:                         200,
		"/v1/check?require_iss=https://partner.example":               403,
		"/v1/check?require_iss=" + testIssuer + "&require_iss=x":      403,
		"/v1/check?require_iss=":                                      400,
		"/v1/check/orders?require_iss=https://partner.example":        403,
		"/v1/check?require_aud=":                                      400,
		"/v1/check?require_scope=+":                                   400,
		"/v1/check?require_aud=%zz":                                   400,
		"/v1/check?require_aud=api&uri=/orders?x=1&require_audience=": 200, // as Envoy appends it
		"/v1/check?uri=/orders?x=1&y=%zz":                             200,
		"/v1/check?require_aud=other&uri=/orders":                     401,
		"/v1/check?myuri=/orders":                                     400,
		"/v1/check/orders?x=1":                                        200,
		"/v1/check/orders?scope=odd&x=%zz":                            200,
		"/v1/check/orders?require_aud=other":                          401,
		"/v1/check/orders?x=1&require_scope=admin":                    403,
	} {
		rec := r.do("GET", target, raw, "", "")
		if rec.Code != want {
			t.Errorf("%s answers %d, want %d: %s", target, rec.Code, want, rec.Body)
		}
		if want == http.StatusForbidden && !strings.Contains(rec.Header().Get("WWW-Authenticate"), `error="insufficient_scope"`) {
			t.Errorf("%s: %v", target, rec.Header())
		}
		if want != http.StatusOK && rec.Header().Get("X-Auth-Subject") != "" {
			t.Errorf("%s: refused, yet identified", target)
		}
	}
	wantLines(t, scrape(t, r), `rescind_checks_total{result="scope"} 6`)
}

// A misspelt requirement must not hide that the token is bad.
func TestCheckJudgesTheTokenFirst(t *testing.T) {
	wantStatus(t, newRig(t).do("GET", "/v1/check?require=x", "x", "", ""), http.StatusUnauthorized)
}
