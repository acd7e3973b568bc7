package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"rescind"
	"rescind/internal/problem"
)

func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}

func TestNamedAdmins(t *testing.T) {
	const alice, bob = "token-of-alice-0123456789", "token-of-bob-0123456789"
	r := newRig(t, func(c *Config) { c.AdminToken = nil })
	status := func(raw string) int { return r.do("GET", "/v1/cluster", raw, "", "").Code }
	if got := status(alice); got != http.StatusForbidden {
		t.Errorf("without admins: %d", got)
	}
	if err := r.api.SetAdmins([]Admin{{"alice", sum(alice)}, {"bob", sum(bob)}}); err != nil {
		t.Fatal(err)
	}
	if status(alice) != 200 || status(bob) != 200 || status(testAdmin) != 401 {
		t.Error("not those who were named")
	}
	wantStatus(t, r.do("POST", "/v1/revocations", bob, "application/json", `{"scope":"jti","id":"x"}`), http.StatusCreated)
	if log := r.log.String(); !strings.Contains(log, `"caller":"bob"`) || strings.Contains(log, bob) {
		t.Errorf("the audit line is %s", log)
	}
	// Rotated: bob has a new token, alice has left.
	if err := r.api.SetAdmins([]Admin{{"bob", sum(bob + "2")}}); err != nil {
		t.Fatal(err)
	}
	if status(alice) != 401 || status(bob) != 401 || status(bob+"2") != 200 {
		t.Error("not those who were named last")
	}
	for _, bad := range [][]Admin{{{"", sum(bob)}}, {{"admin", sum(bob)}}, {{"a", sum(bob)}, {"a", sum(alice)}}, {{"a", bob}}, {{"a", sum(bob)[1:]}}} {
		err := r.api.SetAdmins(bad)
		if err == nil || strings.Contains(err.Error(), bob) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if status(bob+"2") != 200 {
		t.Error("a list that was refused took effect")
	}
	// Without any the endpoints stay closed, and say 401.
	if err := r.api.SetAdmins(nil); err != nil || status(bob+"2") != 401 {
		t.Error("open after the last admin has left")
	}
}

func TestRateLimits(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AdminRate, c.ClientRate = 1, 1 })
	if err := r.api.SetAdmins([]Admin{{"alice", sum("token-of-alice-0123456789")}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wantStatus(t, r.do("GET", "/v1/cluster", testAdmin, "", ""), http.StatusOK)
		wantStatus(t, r.do("DELETE", "/v1/session", access(t), "", ""), http.StatusOK)
		r.node.forget()
	}
	rec := r.do("GET", "/v1/cluster", testAdmin, "", "")
	if rec.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	wantProblem(t, rec, problem.TooMany, "")
	wantStatus(t, r.do("GET", "/v1/cluster", "token-of-alice-0123456789", "", ""), http.StatusOK) // has a rate of her own
	wantProblem(t, r.form("/oauth2/revoke", "", "token="+access(t)), problem.TooMany, "")
	wantStatus(t, r.do("GET", "/v1/check", access(t), "", ""), http.StatusOK) // checks cost nothing
	other := newReq(t, "POST", "/oauth2/revoke", "token="+access(t), "application/x-www-form-urlencoded")
	other.RemoteAddr = "198.51.100.1:1"
	wantStatus(t, r.send(other), http.StatusOK)
}

func TestLimitForgetsSomebodyWhenItIsFull(t *testing.T) {
	l := newLimit(1, new(limitStats))
	for i := range maxCallers + 100 {
		if !l.allow(sum(string(rune(i)))) {
			t.Fatal("a new caller is refused")
		}
	}
	if len(l.callers) > maxCallers {
		t.Errorf("%d callers are remembered", len(l.callers))
	}
}

func TestAdminsByScope(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AdminToken, c.AdminScope = nil, "revoke:any" })
	operator := access(t, "scope", "read revoke:any", "sub", "olga")
	wantStatus(t, r.do("POST", "/v1/revocations", operator, "application/json", `{"scope":"jti","id":"x"}`), http.StatusCreated)
	if !strings.Contains(r.log.String(), `"caller":"`+testIssuer+` olga"`) {
		t.Errorf("the audit line is %s", r.log)
	}
	for name, raw := range map[string]string{
		"without the scope": access(t, "scope", "read"),
		"a longer scope":    access(t, "scope", "revoke:anything"),
		"no subject":        access(t, "scope", "revoke:any", "sub", nil),
		"a refresh token":   refresh(t, "scope", "revoke:any"),
		"another audience":  access(t, "scope", "revoke:any", "aud", "other"),
		"nothing":           "",
	} {
		if rec := r.do("GET", "/v1/cluster", raw, "", ""); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
	r.node.verdict = rescind.Unknown
	wantProblem(t, r.do("GET", "/v1/cluster", operator, "", ""), problem.CannotKnow, "")
	r.node.verdict = rescind.Valid
	wantStatus(t, r.do("DELETE", "/v1/session", operator, "", ""), http.StatusOK)
	wantStatus(t, r.do("GET", "/v1/cluster", operator, "", ""), http.StatusUnauthorized) // logged out
	off := newRig(t)
	wantStatus(t, off.do("GET", "/v1/cluster", access(t, "scope", "revoke:any"), "", ""), http.StatusUnauthorized)
}
