package httpapi

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/bcrypt"

	"rescind/internal/problem"
	"rescind/token"
)

const (
	appSecret   = "s3cret of the app: 100%"
	guestSecret = "secret-of-the-resource-server"
)

func hashed(t testing.TB, secret string) string {
	t.Helper()
	b, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// withClients adds a confidential client, a public one, and a resource server.
func withClients(t testing.TB) func(*Config) {
	return func(c *Config) {
		c.Clients = []Client{
			{ID: "app", SecretHash: hashed(t, appSecret)},
			{ID: "mobile"},
			{ID: "https://rs.example/a b", SecretHash: hashed(t, guestSecret), Introspect: true},
		}
	}
}

// basic returns the credentials as RFC 6749 section 2.3.1 writes them.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// formAs sends a form with this Authorization header.
func (r *rig) formAs(target, authorization string, pairs ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req := httptest.NewRequest("POST", target, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return r.send(req)
}

func TestOAuthRevokeAuthenticatesClients(t *testing.T) {
	r := newRig(t, withClients(t))
	mine, mobiles, nobodys := access(t), access(t, "client_id", "mobile"), access(t, "client_id", nil)
	for name, c := range map[string]struct {
		authorization string
		form          []string
		status        int
		code          string
	}{
		"basic":                           {basic("app", appSecret), []string{"token", mine}, 200, ""},
		"basic, and the id in the form":   {basic("app", appSecret), []string{"token", mine, "client_id", "app"}, 200, ""},
		"form":                            {"", []string{"token", mine, "client_id", "app", "client_secret", appSecret}, 200, ""},
		"a wrong hint":                    {basic("app", appSecret), []string{"token", mine, "token_type_hint", "refresh_token"}, 200, ""},
		"a public client":                 {"", []string{"token", mobiles, "client_id", "mobile"}, 200, ""},
		"a public client, empty password": {basic("mobile", ""), []string{"token", mobiles}, 200, ""},
		"possession of a public client's": {"", []string{"token", mobiles}, 200, ""},
		"possession of nobody's":          {"", []string{"token", nobodys}, 200, ""},
		"an unknown token":                {basic("app", appSecret), []string{"token", "opaque"}, 200, ""},

		"no authentication":            {"", []string{"token", mine}, 401, "invalid_client"},
		"the id alone":                 {"", []string{"token", mine, "client_id", "app"}, 401, "invalid_client"},
		"a wrong secret":               {basic("app", "x"), []string{"token", mine}, 401, "invalid_client"},
		"a wrong secret in the form":   {"", []string{"token", mine, "client_id", "app", "client_secret", "x"}, 401, "invalid_client"},
		"an empty secret":              {basic("app", ""), []string{"token", mine}, 401, "invalid_client"},
		"an unknown client":            {basic("nobody", appSecret), []string{"token", mine}, 401, "invalid_client"},
		"a secret for a public one":    {basic("mobile", "x"), []string{"token", mobiles}, 401, "invalid_client"},
		"an unknown client, wrong":     {basic("nobody", "x"), []string{"token", "opaque"}, 401, "invalid_client"},
		"an unknown client's word":     {"", []string{"token", mine, "client_id", "nobody"}, 401, "invalid_client"},
		"a client that claims to be":   {"", []string{"token", mine, "client_id", "mobile"}, 400, "invalid_grant"},
		"another client's token":       {basic("app", appSecret), []string{"token", mobiles}, 400, "invalid_grant"},
		"two ways":                     {basic("app", appSecret), []string{"token", mine, "client_id", "app", "client_secret", appSecret}, 400, "invalid_request"},
		"two names":                    {basic("app", appSecret), []string{"token", mine, "client_id", "mobile"}, 400, "invalid_request"},
		"credentials that are no code": {"Basic " + base64.StdEncoding.EncodeToString([]byte("app:%zz")), []string{"token", mine}, 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			rec := r.formAs("/oauth2/revoke", c.authorization, c.form...)
			if c.code != "" {
				wantOAuthError(t, rec, c.status, c.code)
			} else {
				wantStatus(t, rec, c.status)
			}
			if revoked := len(r.node.all()) == 1; revoked != (c.status == 200 && c.form[1] != "opaque") {
				t.Errorf("%d revocations", len(r.node.all()))
			}
			for _, secret := range []string{appSecret, c.form[1]} {
				if strings.Contains(r.log.String(), secret) {
					t.Error("the log tells a secret")
				}
			}
		})
	}
}

// "app" may not pass for "mobile" by leaving its secret out.
func TestOAuthRevokeOfAConfidentialClientsTokenByAnotherName(t *testing.T) {
	r := newRig(t, withClients(t))
	wantOAuthError(t, r.formAs("/oauth2/revoke", "", "token", access(t), "client_id", "mobile"), http.StatusBadRequest, "invalid_grant")
}

func TestOAuthRevokeTellsTypesThatItDoesNotSupport(t *testing.T) {
	r := newRig(t)
	for _, raw := range []string{sign(t, "logout+jwt", claims()), sign(t, "JWT", claims("nonce", "n", "typ", "ID"))} {
		wantOAuthError(t, r.form("/oauth2/revoke", "", "token="+raw), http.StatusBadRequest, "unsupported_token_type")
	}
	if len(r.node.all()) != 0 {
		t.Error("something was revoked")
	}
}

func TestIntrospectByClients(t *testing.T) {
	r := newRig(t, withClients(t))
	const server = "https://rs.example/a b"
	for name, c := range map[string]struct {
		authorization string
		form          []string
		status        int
		code          string
	}{
		"basic":           {basic(server, guestSecret), nil, 200, ""},
		"again":           {basic(server, guestSecret), nil, 200, ""},
		"form":            {"", []string{"client_id", server, "client_secret", guestSecret}, 200, ""},
		"the operator":    {"Bearer " + testAdmin, nil, 200, ""},
		"without right":   {basic("app", appSecret), nil, 403, "access_denied"},
		"a public client": {"", []string{"client_id", "mobile"}, 403, "access_denied"},
		"a wrong secret":  {basic(server, appSecret), nil, 401, "invalid_client"},
		"nobody":          {"", nil, 401, "invalid_client"},
		"a token":         {"Bearer " + access(t), nil, 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := r.in(t).formAs("/oauth2/introspect", c.authorization, append(c.form, "token", access(t))...)
			if c.code != "" {
				wantOAuthError(t, rec, c.status, c.code)
				return
			}
			wantStatus(t, rec, c.status)
			if !decode[introspection](t, rec.Body).Active {
				t.Error("inactive")
			}
		})
	}
}

// A resource server that has said who it is learns nothing of tokens for others
// (RFC 9701, section 5).
func TestIntrospectionIsForTheAudience(t *testing.T) {
	for name, c := range map[string]struct {
		audience []string
		want     bool
	}{
		"said nothing": {nil, true}, "one of its own": {[]string{"other", "api"}, true}, "for another": {[]string{"other"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(cfg *Config) {
				cfg.Clients = []Client{{ID: "rs", SecretHash: hashed(t, guestSecret), Introspect: true, Audience: c.audience}}
			})
			rec := r.formAs("/oauth2/introspect", basic("rs", guestSecret), "token", access(t))
			wantStatus(t, rec, http.StatusOK)
			if body := rec.Body.String(); c.want != strings.Contains(body, `"active":true`) || !c.want && strings.TrimSpace(body) != `{"active":false}` {
				t.Error(body)
			}
			if got := r.formAs("/oauth2/introspect", "Bearer "+testAdmin, "token", access(t)).Body.String(); !strings.Contains(got, `"active":true`) {
				t.Errorf("to the operator: %s", got)
			}
		})
	}
}

// A secret that was right is remembered, but no other.
func TestClientSecretsAreRemembered(t *testing.T) {
	r := newRig(t, withClients(t))
	for range 2 {
		wantStatus(t, r.formAs("/oauth2/revoke", basic("app", appSecret), "token", "x"), http.StatusOK)
		wantOAuthError(t, r.formAs("/oauth2/revoke", basic("app", appSecret+"x"), "token", "x"), http.StatusUnauthorized, "invalid_client")
	}
}

// Guessing is bounded for each network, at both endpoints together, and keeps nobody
// out whose secret was right before; a change of the clients forgets neither.
func TestGuessingSecretsIsBounded(t *testing.T) {
	r := newRig(t, withClients(t))
	const server = "https://rs.example/a b"
	introspect := func(id, secret, from string) int {
		req := newReq(t, "POST", "/oauth2/introspect", "token=x", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", basic(id, secret))
		req.RemoteAddr = from
		return r.send(req).Code
	}
	const here, there = "192.0.2.7:1", "192.0.2.8:1"
	if got := introspect(server, guestSecret, here); got != http.StatusOK {
		t.Fatal(got)
	}
	refused := 0
	for refused < tryBurst+10 {
		switch got := introspect(server, "guess", here); got {
		case http.StatusUnauthorized:
			if refused++; refused > tryBurst+5 {
				t.Fatal("guessing is not bounded")
			}
			continue
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("a guess is answered by %d", got)
		}
		break
	}
	for _, c := range []struct { // in this order: the third is remembered from then on
		name, id, secret, from string
		want                   int
	}{
		{"remembered", server, guestSecret, here, 200},
		{"not remembered", "app", appSecret, here, 429},
		{"from elsewhere", "app", appSecret, there, 403}, // may not introspect
		{"nobody", "nobody", "guess", here, 429},
		{"nobody elsewhere", "nobody", "guess", there, 401},
	} {
		if got := introspect(c.id, c.secret, c.from); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	list := []Client{}
	for _, known := range r.api.rules.Load().clients.byID {
		list = append(list, known.Client)
	}
	if err := r.api.SetClients(append(list, Client{ID: "more"})); err != nil {
		t.Fatal(err)
	}
	if got := introspect(server, guestSecret, here); got != http.StatusOK {
		t.Errorf("after a change of others: %d", got)
	}
	if got := introspect(server, "guess", here); got != http.StatusTooManyRequests {
		t.Errorf("a guess after a change: %d", got)
	}
	if err := r.api.SetClients([]Client{{ID: server, SecretHash: hashed(t, "another"), Introspect: true}}); err != nil {
		t.Fatal(err)
	}
	if got := introspect(server, guestSecret, there); got != http.StatusUnauthorized {
		t.Errorf("the old secret after a change of it: %d", got)
	}
}

// Hashing secrets leaves most of the processors to checks, on any machine.
func TestSecretsTakeAQuarterOfTheProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for procs, want := range map[int]int{1: 1, 2: 1, 16: 4} {
		runtime.GOMAXPROCS(procs)
		if got := cap(newGuessing(new(limitStats)).slots); got != want {
			t.Errorf("%d of %d processors", got, procs)
		}
	}
}

func TestClientsThatCannotBe(t *testing.T) {
	for name, list := range map[string][]Client{
		"no name":              {{}},
		"twice":                {{ID: "a"}, {ID: "a"}},
		"introspects publicly": {{ID: "a", Introspect: true}},
		"not hashed":           {{ID: "a", SecretHash: "secret"}},
	} {
		_, err := New(Config{Node: newFakeNode(), Verifier: newVerifier(t, newFakeNode()), Clients: list})
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), `"secret"`) {
			t.Errorf("%s: the error repeats a secret: %v", name, err)
		}
	}
}

func TestSignedIntrospection(t *testing.T) {
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	public, err := keys.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.Signer, c.Name = keys, "https://rescind.example" })
	ask := func(raw, accept string) *httptest.ResponseRecorder {
		req := httptest.NewRequest("POST", "/oauth2/introspect", strings.NewReader("token="+raw))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Bearer "+testAdmin)
		req.Header["Accept"] = []string{accept}
		return r.send(req)
	}
	for raw, active := range map[string]bool{access(t): true, "x": false} {
		rec := ask(raw, "application/json;q=0.1, application/token-introspection+jwt")
		wantStatus(t, rec, http.StatusOK)
		if got := rec.Header().Get("Content-Type"); got != "application/token-introspection+jwt" {
			t.Fatalf("Content-Type %q", got)
		}
		// Read with another library's rules, and by its key as it is published.
		parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience("admin"), jwt.WithIssuer("https://rescind.example")).Parse(rec.Body.String(), keyOf(t, public))
		if err != nil {
			t.Fatal(err)
		}
		claims := parsed.Claims.(jwt.MapClaims)
		answer := claims["token_introspection"].(map[string]any)
		if parsed.Header["typ"] != "token-introspection+jwt" || answer["active"] != active || (len(answer) > 1) != active || claims["sub"] != nil || claims["exp"] != nil {
			t.Errorf("%v %v", parsed.Header, claims)
		}
		// Nobody may take the answer for a token.
		wantStatus(t, r.do("GET", "/v1/check", rec.Body.String(), "", ""), http.StatusUnauthorized)
	}
	if rec := ask("x", "application/token-introspection+jwt;q=0, */*"); rec.Header().Get("Content-Type") != "application/json" {
		t.Error("signed though it is not wanted")
	}
	unsigned := newRig(t)
	r = unsigned
	wantStatus(t, ask("x", "application/token-introspection+jwt, application/json;q=0.5"), http.StatusOK)
	wantProblem(t, ask("x", "application/token-introspection+jwt"), problem.Accept, "")
}
