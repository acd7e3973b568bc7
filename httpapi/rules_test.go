package httpapi

import (
	"bufio"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"rescind/internal/problem"
)

// Each of what Reconfigure names changes what the next request meets.
func TestReconfigure(t *testing.T) {
	const second = "another-admin-token-0123456789"
	var base Config
	r := newRig(t, withClients(t), func(c *Config) { base = *c })
	change := func(f func(*Config)) {
		t.Helper()
		f(&base)
		if err := r.api.Reconfigure(base); err != nil {
			t.Fatal(err)
		}
	}
	revoke := func(raw string) int {
		return r.do("POST", "/v1/revocations", raw, "application/json", `{"scope":"jti","id":"x"}`).Code
	}
	if got := revoke(testAdmin); got != http.StatusCreated {
		t.Fatal(got)
	}
	change(func(c *Config) { c.Issuer = "" })
	wantProblem(t, r.post("/v1/revocations", `{"scope":"jti","id":"x"}`), problem.InvalidField, "iss")
	change(func(c *Config) { c.Issuer = "https://new.example" })
	if got := revoke(testAdmin); got != http.StatusCreated || r.node.all()[1].rev.Issuer != "https://new.example" {
		t.Errorf("%d %v", got, r.node.all())
	}

	change(func(c *Config) { c.AdminToken = []byte(second) })
	if revoke(testAdmin) != 401 || revoke(second) != 201 {
		t.Error("the admin token has not changed")
	}
	change(func(c *Config) { c.Admins, c.AdminToken = []Admin{{"alice", sum(testAdmin)}}, nil })
	if revoke(testAdmin) != 201 || revoke(second) != 401 {
		t.Error("the admins have not changed")
	}
	change(func(c *Config) { c.Admins, c.AdminScope = nil, "revoke" })
	if revoke(testAdmin) != 401 || revoke(access(t, "scope", "revoke")) != 201 {
		t.Error("the admin scope has not changed")
	}
	change(func(c *Config) { c.AdminScope = "" })
	if got := revoke(access(t, "scope", "revoke")); got != 401 {
		t.Errorf("without any admin: %d", got)
	}

	logout := func() int { return r.logout(sign(t, "logout+jwt", logoutClaimsOf())) }
	if got := logout(); got != http.StatusForbidden {
		t.Errorf("without an audience: %d", got)
	}
	change(func(c *Config) { c.LogoutAudience = map[string][]string{testIssuer: {relyingParty}} })
	if got := logout(); got != http.StatusOK {
		t.Errorf("with its audience: %d", got)
	}

	byEmail := event(sessionRevoked, object{"format": "email", "email": "a@b.example"})
	wantStatus(t, r.pushed(byEmail), http.StatusForbidden)
	change(func(c *Config) { c.EventAudience = map[string][]string{testIssuer: {receiver}} })
	wantStatus(t, r.pushed(byEmail), http.StatusBadRequest)
	change(func(c *Config) { c.EmailIsSubject = true })
	wantStatus(t, r.pushed(byEmail), http.StatusAccepted)

	wantStatus(t, r.formAs("/oauth2/revoke", basic("late", appSecret), "token", "x"), http.StatusUnauthorized)
	change(func(c *Config) { c.Clients = append(c.Clients, Client{ID: "late", SecretHash: hashed(t, appSecret)}) })
	wantStatus(t, r.formAs("/oauth2/revoke", basic("late", appSecret), "token", "x"), http.StatusOK)

	change(func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	req := newReq(t, "POST", "/oauth2/revoke", "token="+access(t, "jti", "other", "sub", "bob", "sid", nil, "client_id", nil), "application/x-www-form-urlencoded")
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	wantStatus(t, r.send(req), http.StatusOK)
	if !strings.Contains(r.log.String(), "203.0.113.9") {
		t.Error("the proxy is not trusted")
	}

	change(func(c *Config) { c.AdminToken, c.AdminRate = []byte(testAdmin), 1 })
	codes := fmt.Sprint(revoke(testAdmin), revoke(testAdmin), revoke(testAdmin))
	change(func(c *Config) { c.Issuer = testIssuer }) // another change gives nobody a new start
	if codes += fmt.Sprint(revoke(testAdmin)); codes != "201 201 429429" {
		t.Errorf("with a rate: %s", codes)
	}
	change(func(c *Config) { c.AdminRate = 0 })
	if got := revoke(testAdmin); got != 201 {
		t.Errorf("without a rate: %d", got)
	}

	for name, f := range map[string]func(*Config){
		"admins":      func(c *Config) { c.Admins = []Admin{{"", ""}} },
		"clients":     func(c *Config) { c.Clients = []Client{{}} },
		"admin token": func(c *Config) { c.AdminToken = []byte("short") },
	} {
		bad := base
		bad.Issuer, bad.AdminRate = "https://bad.example", 0.001
		f(&bad)
		if err := r.api.Reconfigure(bad); err == nil {
			t.Errorf("bad %s are accepted", name)
		}
	}
	for range 3 {
		if got := revoke(testAdmin); got != 201 {
			t.Errorf("after what was refused: %d", got)
		}
	}
	if calls := r.node.all(); calls[len(calls)-1].rev.Issuer != testIssuer {
		t.Error("a part of what was refused is in force")
	}
}

// While two configurations alternate, each request meets one of them and never a
// mixture: who alice is goes with her issuer.
func TestReconfigureIsSeenWhole(t *testing.T) {
	var base Config
	r := newRig(t, func(c *Config) { c.AdminToken = nil; base = *c })
	alice, bob := base, base
	alice.Admins, alice.Issuer = []Admin{{"alice", sum(testAdmin)}}, "https://alice.example"
	bob.Admins, bob.Issuer = []Admin{{"bob", sum(testAdmin)}}, "https://bob.example"
	set := func(c Config) {
		if err := r.api.Reconfigure(c); err != nil {
			t.Error(err)
		}
	}
	set(alice)
	done, asking := make(chan struct{}), sync.WaitGroup{}
	for worker := range 4 {
		asking.Go(func() {
			for i := range 200 {
				body := fmt.Sprintf(`{"scope":"jti","id":"%d-%d","reason":"%d-%d"}`, worker, i, worker, i)
				wantStatus(t, r.post("/v1/revocations", body), http.StatusCreated)
			}
		})
	}
	go func() { asking.Wait(); close(done) }()
	for ended := false; !ended; {
		set(bob)
		set(alice)
		select {
		case <-done:
			ended = true
		default:
		}
	}
	issuers := map[string]string{}
	for _, c := range r.node.all() {
		issuers[c.rev.ID] = c.rev.Issuer
	}
	seen := map[string]int{}
	for lines := bufio.NewScanner(strings.NewReader(r.log.String())); lines.Scan(); {
		var line struct{ Caller, Reason string }
		if err := json.Unmarshal(lines.Bytes(), &line, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		if want := "https://" + line.Caller + ".example"; issuers[line.Reason] != want {
			t.Errorf("%s revoked for %s", line.Caller, issuers[line.Reason])
		}
		seen[line.Caller]++
	}
	if seen["alice"]+seen["bob"] != 800 {
		t.Errorf("the log has %v", seen)
	}
}

// Where operators have a listener of their own, the other one does not know them.
func TestOperatorsAtTheirOwnListenerOnly(t *testing.T) {
	r := newRig(t, withClients(t), func(c *Config) { c.AdminScope = "revoke" })
	public, admin := r.in(t), r.in(t)
	public.at, admin.at = r.api.PublicHandler(), r.api.AdminHandler()
	const form, object = "application/x-www-form-urlencoded", "application/json"
	scoped := access(t, "scope", "revoke", "jti", "operator")
	for _, c := range []struct {
		raw, method, target, contentType, body string
		public, admin                          int
	}{
		{testAdmin, "GET", "/metrics", "", "", 404, 200},
		{testAdmin, "GET", "/v1/cluster", "", "", 404, 200},
		{scoped, "GET", "/v1/cluster", "", "", 404, 200},
		{testAdmin, "GET", "/readyz", "", "", 200, 200},
		{scoped, "GET", "/v1/check", "", "", 200, 404},
		{testAdmin, "POST", "/oauth2/introspect", form, "token=" + access(t), 401, 200},
		{testAdmin, "POST", consumePath, object, `{"token":"` + access(t, "jti", "1") + `","mode":"available"}`, 401, 200},
		{scoped, "POST", consumePath, object, `{"token":"` + access(t, "jti", "2") + `","mode":"available"}`, 403, 200},
	} {
		if got := public.do(c.method, c.target, c.raw, c.contentType, c.body).Code; got != c.public {
			t.Errorf("%s at the public listener: %d, want %d", c.target, got, c.public)
		}
		if got := admin.do(c.method, c.target, c.raw, c.contentType, c.body).Code; got != c.admin {
			t.Errorf("%s at the admin listener: %d, want %d", c.target, got, c.admin)
		}
	}
	// Clients and bearers are still served.
	wantStatus(t, public.formAs("/oauth2/introspect", basic("https://rs.example/a b", guestSecret), "token", access(t)), http.StatusOK)
	wantStatus(t, public.do("POST", consumePath, access(t, "jti", "own"), object, `{"mode":"available"}`), http.StatusOK)
	// Each index lists what is there.
	for own, r := range map[string]*rig{"/v1/check": public, "/v1/revocations": admin} {
		other := map[string]string{"/v1/check": "/v1/revocations", "/v1/revocations": "/v1/check"}[own]
		if page := r.do("GET", "/", "", "", "").Body.String(); !strings.Contains(page, own+" ") || strings.Contains(page, other+" ") {
			t.Errorf("the index beside %s is\n%s", own, page)
		}
	}
	off := newRig(t)
	off.at = off.api.PublicHandler()
	wantOAuthError(t, off.form("/oauth2/introspect", testAdmin, "token=x"), http.StatusForbidden, "access_denied")
}
