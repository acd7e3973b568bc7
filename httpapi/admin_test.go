package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var adminEndpoints = [][2]string{{"POST", "/v1/revocations"}, {"GET", "/v1/cluster"}, {"POST", "/oauth2/introspect"}}

func TestAdminIsClosedWithoutAToken(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AdminToken = nil })
	for _, e := range adminEndpoints {
		for _, bearer := range []string{"", testAdmin, "AAAAAAAAAAAAAAAAAAAAAA"} {
			rec := r.do(e[0], e[1], bearer, "application/json", `{"scope":"jti","id":"x"}`)
			wantStatus(t, rec, http.StatusForbidden)
			if !strings.Contains(rec.Body.String(), "without an admin token") {
				t.Error(rec.Body)
			}
		}
	}
	if len(r.node.all()) != 0 {
		t.Error("something was revoked")
	}
}

func TestAdminRefusesAnythingButTheToken(t *testing.T) {
	for name, headers := range map[string][]string{
		"none":         nil,
		"wrong":        {"Bearer wrong-token-0123456789"},
		"prefix":       {"Bearer " + testAdmin[:len(testAdmin)-1]},
		"longer":       {"Bearer " + testAdmin + "a"},
		"two headers":  {"Bearer " + testAdmin, "Bearer " + testAdmin},
		"two schemes":  {"Basic eDp5", "Bearer " + testAdmin},
		"other scheme": {"Token " + testAdmin},
		"bare":         {testAdmin},
		"comma":        {"Bearer " + testAdmin + ", Bearer x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for _, e := range adminEndpoints {
				req := httptest.NewRequest(e[0], e[1]+"?access_token="+testAdmin, strings.NewReader(`{"scope":"jti","id":"x"}`))
				req.Header["Authorization"] = headers
				req.Header.Set("Content-Type", "application/json")
				req.AddCookie(&http.Cookie{Name: "token", Value: testAdmin})
				rec := r.send(req)
				wantStatus(t, rec, http.StatusUnauthorized)
				if got := rec.Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="rescind-admin"`) {
					t.Errorf("WWW-Authenticate %q", got)
				}
			}
			if len(r.node.all()) != 0 {
				t.Error("something was revoked")
			}
			metrics := r.do("GET", "/metrics", "", "", "").Body.String()
			if !strings.Contains(metrics, "rescind_admin_refused_total 3") {
				t.Error("refusals are not counted")
			}
			if n := strings.Count(r.log.String(), "admin request refused"); n == 0 || n > 3 {
				t.Errorf("%d log lines about refusals", n)
			}
		})
	}
}

func TestAdminSchemeIgnoresCase(t *testing.T) {
	r := newRig(t)
	req := httptest.NewRequest("GET", "/v1/cluster", nil)
	req.Header.Set("Authorization", "bEARER "+testAdmin)
	wantStatus(t, r.send(req), http.StatusOK)
}

// An empty file must not become a node whose admin token is empty.
func TestNewRefusesWeakAdminTokens(t *testing.T) {
	for _, weak := range []string{"", "short", "fifteen-bytes..", testAdmin + "\n", " " + testAdmin, "with blanks in the middle", "umlaut-ä-0123456789"} {
		_, err := New(Config{Node: newFakeNode(), Verifier: newVerifier(t, newFakeNode()), AdminToken: []byte(weak)})
		if err == nil {
			t.Errorf("%q was accepted", weak)
		} else if weak != "" && strings.Contains(err.Error(), weak) {
			t.Errorf("the error tells the token: %v", err)
		}
	}
}

func TestNewRefusesBadConfigs(t *testing.T) {
	good := Config{Node: newFakeNode(), Verifier: newVerifier(t, newFakeNode())}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no node":           func(c *Config) { c.Node = nil },
		"no verifier":       func(c *Config) { c.Verifier = nil },
		"endless lifetime":  func(c *Config) { c.MaxLifetime = 1 << 62 },
		"negative lifetime": func(c *Config) { c.MaxLifetime = -1 },
		"endless wait":      func(c *Config) { c.AckTimeout = maxWait + 1 },
		"negative wait":     func(c *Config) { c.AckTimeout = -1 },
	} {
		bad := good
		change(&bad)
		if _, err := New(bad); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
