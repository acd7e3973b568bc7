package httpapi

import (
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rescind"
	"rescind/cluster"
	"rescind/internal/problem"
	"rescind/token"
	"rescind/token/statuslist"
)

const (
	testBase = "https://rescind.example"
	testList = testBase + statusPrefix + "idp"
)

// statusRig publishes one list of 64 entries for the test issuer's tokens.
func statusRig(t testing.TB, n interface {
	Node
	token.Checker
}, base string) (*rig, *token.KeySet) {
	t.Helper()
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{
			Issuer: testIssuer, Audience: []string{"api"}, Algorithms: []string{"HS256"}, HS256Secret: testKey,
			PublishedLists: []string{StatusListURI(base, "idp")},
		}},
		Checker: n,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	r := newRig(t, func(c *Config) {
		c.Node, c.Verifier, c.Signer, c.JWKS, c.Name = n, v, keys, keys.JWKS, base
		c.StatusLists = []StatusList{{Name: "idp", Size: 64}}
		c.StatusTTL = 30 * time.Second
	})
	if fake, ok := n.(*fakeNode); ok {
		r.node = fake
	}
	return r, keys
}

// referring returns an access token that refers to an entry of a list.
func referring(t testing.TB, uri string, index int, pairs ...any) string {
	return access(t, append([]any{"status", map[string]any{"status_list": map[string]any{"idx": index, "uri": uri}}}, pairs...)...)
}

// listOf verifies a Status List Token with golang-jwt and a JWK Set, and returns
// its list.
func listOf(t testing.TB, raw string, jwks []byte, uri string) (*statuslist.List, jwt.MapClaims) {
	t.Helper()
	claims := jwt.MapClaims{}
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithSubject(uri), jwt.WithIssuedAt(), jwt.WithExpirationRequired()).
		ParseWithClaims(raw, claims, keyOf(t, jwks))
	if err != nil || parsed.Header["typ"] != "statuslist+jwt" {
		t.Fatalf("%v, header %v", err, parsed.Header)
	}
	content := claims["status_list"].(map[string]any)
	list, err := statuslist.Parse(int(content["bits"].(float64)), content["lst"].(string), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return list, claims
}

func revokedIn(l *statuslist.List) (all []int) {
	for i := range l.Len() {
		if s, _ := l.Get(uint64(i)); s != statuslist.Valid {
			all = append(all, i)
		}
	}
	return all
}

func jwksOf(t testing.TB, keys *token.KeySet) []byte {
	t.Helper()
	b, err := keys.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStatusListTellsOfRevocations revokes in every way that knows of a token, and
// by reference.
func TestStatusListTellsOfRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, keys := statusRig(t, newFakeNode(), testBase)
		rec := r.do("GET", "/statuslists/idp", "", "", "")
		wantStatus(t, rec, http.StatusOK)
		list, claims := listOf(t, rec.Body.String(), jwksOf(t, keys), testList)
		if got := revokedIn(list); len(got) > 0 || list.Len() != 64 {
			t.Errorf("revoked before anything was: %v of %d", got, list.Len())
		}
		now := float64(time.Now().Unix())
		if claims["iat"] != now || claims["exp"] != now+300 || claims["ttl"] != 30. || claims["iss"] != testBase {
			t.Errorf("%v", claims)
		}
		wantStatus(t, r.form("/oauth2/revoke", "", "token="+referring(t, testList, 1, "jti", "t1")), http.StatusOK)
		wantStatus(t, r.form("/oauth2/revoke", "", "token="+refresh(t, "jti", "t2", "sid", "s2", "status", map[string]any{"status_list": map[string]any{"idx": 2, "uri": testList}})), http.StatusOK)
		wantStatus(t, r.do("DELETE", "/v1/session", referring(t, testList, 3, "jti", "t3", "sid", "s3"), "", ""), http.StatusOK)
		wantStatus(t, r.do("DELETE", "/v1/sessions", referring(t, testList, 4, "jti", "t4", "sid", "s4", "sub", "bob"), "", ""), http.StatusOK)
		wantStatus(t, r.post("/v1/revocations", `{"token":"`+referring(t, testList, 5, "jti", "t5", "sid", "s5", "sub", "carol")+`"}`), http.StatusCreated)
		bulk := r.do("POST", "/v1/revocations/bulk", testAdmin, "application/x-ndjson", `{"token":"`+referring(t, testList, 6, "jti", "t6", "sid", "s6", "sub", "carol")+`"}`)
		if wantStatus(t, bulk, http.StatusOK); !strings.Contains(bulk.Body.String(), `"accepted":1`) {
			t.Error(bulk.Body)
		}
		cookie := r.signIn(testAdmin)
		for i, scope := range map[int]string{8: "jti", 9: "sid", 10: "sub"} {
			raw := referring(t, testList, i, "jti", fmt.Sprint("t", i), "sid", fmt.Sprint("s", i), "sub", fmt.Sprint("carol", i))
			wantStatus(t, r.page("POST", "/dashboard/revoke", cookie, url.Values{"scope": {scope}, "token": {raw}}), http.StatusOK)
		}
		wantStatus(t, r.post("/v1/revocations", `{"scope":"jti","iss":"`+testList+`","id":"63"}`), http.StatusCreated)
		// Of these the list can't tell: another list, and names that no reference belongs to.
		wantStatus(t, r.post("/v1/revocations", `{"token":"`+referring(t, testBase+"/statuslists/other", 7, "jti", "t7", "sid", "s7", "sub", "carol")+`"}`), http.StatusCreated)
		wantStatus(t, r.post("/v1/revocations", `{"scope":"sub","id":"dave"}`), http.StatusCreated)

		early := r.do("GET", "/statuslists/idp", "", "", "")
		if early.Body.String() != rec.Body.String() {
			t.Error("the list was made anew before its ttl")
		}
		time.Sleep(30 * time.Second)
		rec = r.do("GET", "/statuslists/idp", "", "", "")
		list, _ = listOf(t, rec.Body.String(), jwksOf(t, keys), testList)
		if got := revokedIn(list); !slices.Equal(got, []int{1, 2, 3, 4, 5, 6, 8, 9, 10, 63}) {
			t.Errorf("revoked: %v", got)
		}
		// By reference alone, and here at once.
		wantStatus(t, r.do("GET", "/v1/check", referring(t, testList, 63, "jti", "new", "sid", "new", "sub", "carol"), "", ""), http.StatusUnauthorized)
		wantStatus(t, r.do("GET", "/v1/check", referring(t, testList, 62, "jti", "new", "sid", "new", "sub", "carol"), "", ""), http.StatusOK)
	})
}

// TestStatusListExpiryOfEntries: an entry lives as long as what it came with.
func TestStatusListExpiryOfEntries(t *testing.T) {
	r, _ := statusRig(t, newFakeNode(), testBase)
	exp := time.Now().Add(time.Hour).Truncate(time.Second)
	wantStatus(t, r.form("/oauth2/revoke", "", "token="+referring(t, testList, 1, "exp", exp.Unix())), http.StatusOK)
	wantStatus(t, r.do("DELETE", "/v1/session", referring(t, testList, 2, "jti", "other"), "", ""), http.StatusOK)
	calls := r.node.all()
	if len(calls) != 4 || calls[0].rev.Key != (token.StatusReference{URI: testList, Index: 1}).Key() || calls[2].rev.Key != (token.StatusReference{URI: testList, Index: 2}).Key() {
		t.Fatalf("%+v", calls)
	}
	if !calls[0].rev.ExpiresAt.Equal(exp) || !calls[2].rev.ExpiresAt.IsZero() {
		t.Errorf("%v and %v", calls[0].rev.ExpiresAt, calls[2].rev.ExpiresAt)
	}
	r.node.err = rescind.ErrFull
	wantStatus(t, r.do("DELETE", "/v1/session", referring(t, testList, 3, "jti", "third", "sid", "third"), "", ""), http.StatusServiceUnavailable)
}

func TestStatusListRequests(t *testing.T) {
	r, keys := statusRig(t, newFakeNode(), testBase)
	get := func(path string, headers ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequest("GET", path, nil)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Add(headers[i], headers[i+1])
		}
		return r.send(req)
	}
	plain := get("/statuslists/idp")
	h := plain.Header()
	if h.Get("Content-Type") != "application/statuslist+jwt" || h.Get("Cache-Control") != "public, max-age=30" || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("ETag") == "" {
		t.Errorf("%v", h)
	}
	for _, accept := range []string{"application/statuslist+jwt", "application/*", "*/*;q=0.1", "text/html, application/statuslist+jwt;q=0.9", "application/statuslist+cwt, application/statuslist+jwt"} {
		wantStatus(t, get("/statuslists/idp", "Accept", accept), http.StatusOK)
	}
	for _, accept := range []string{"application/statuslist+cwt", "application/json", "application/statuslist+jwt;q=0", "text/*"} {
		wantProblem(t, get("/statuslists/idp", "Accept", accept), problem.Accept, "")
	}
	wantProblem(t, get("/statuslists/idp?time=1686925000"), problem.NotHere, "")
	for _, path := range []string{"/statuslists/", "/statuslists", "/statuslists/other", "/statuslists/idp/", "/statuslists/idp/1", "/statuslists/../statuslists/idp"} {
		wantProblem(t, get(path), problem.NotFound, "")
	}
	zipped := get("/statuslists/idp", "Accept-Encoding", "br, gzip")
	z, err := gzip.NewReader(zipped.Body)
	if err != nil || zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Header().Get("ETag") == h.Get("ETag") {
		t.Fatalf("%v, %v", zipped.Header(), err)
	}
	raw, err := io.ReadAll(z)
	if err != nil || string(raw) != plain.Body.String() {
		t.Errorf("compressed it is another list: %v", err)
	}
	listOf(t, string(raw), jwksOf(t, keys), testList)
	if rec := get("/statuslists/idp", "If-None-Match", h.Get("ETag")); rec.Code != http.StatusNotModified || rec.Body.Len() > 0 {
		t.Errorf("status %d, %d bytes", rec.Code, rec.Body.Len())
	}
	if rec := r.do("HEAD", "/statuslists/idp", "", "", ""); rec.Code != http.StatusOK {
		t.Errorf("HEAD: %d", rec.Code)
	}
	if rec := newRig(t).do("GET", "/statuslists/idp", "", "", ""); rec.Code != http.StatusNotFound {
		t.Errorf("status %d where none is published", rec.Code)
	}
}

// TestStatusListOfANodeThatCannotKnow: no list rather than a wrong one.
func TestStatusListOfANodeThatCannotKnow(t *testing.T) {
	for name, change := range map[string]func(*fakeNode){
		"not ready":         func(n *fakeNode) { n.status.Ready = false },
		"staleness unknown": func(n *fakeNode) { n.status.Staleness.Known = false },
		"behind the ttl":    func(n *fakeNode) { n.status.Staleness.Bound = 31 * time.Second },
		"rejects":           func(n *fakeNode) { n.verdict = rescind.Stale },
		"not loaded":        func(n *fakeNode) { n.verdict = rescind.Unknown },
	} {
		t.Run(name, func(t *testing.T) {
			n := newFakeNode()
			change(n)
			r, _ := statusRig(t, n, testBase)
			wantProblem(t, r.do("GET", "/statuslists/idp", "", "", ""), problem.NotReady, "")
		})
	}
}

func TestStatusListConfig(t *testing.T) {
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no signer":     func(c *Config) { c.Signer = nil },
		"no name":       func(c *Config) { c.StatusLists = []StatusList{{"", 8}} },
		"path":          func(c *Config) { c.StatusLists = []StatusList{{"a/b", 8}} },
		"dots":          func(c *Config) { c.StatusLists = []StatusList{{"..", 8}} },
		"odd size":      func(c *Config) { c.StatusLists = []StatusList{{"a", 7}} },
		"no size":       func(c *Config) { c.StatusLists = []StatusList{{"a", 0}} },
		"too large":     func(c *Config) { c.StatusLists = []StatusList{{"a", 2 * MaxStatusListSize}} },
		"twice":         func(c *Config) { c.StatusLists = []StatusList{{"a", 8}, {"a", 8}} },
		"ttl too short": func(c *Config) { c.StatusTTL = time.Millisecond },
		"too busy":      func(c *Config) { c.StatusLists, c.StatusTTL = []StatusList{{"a", MaxStatusListSize}}, time.Second },
		"ttl too long":  func(c *Config) { c.StatusTTL = 2 * time.Hour },
	} {
		c := Config{Node: newFakeNode(), Verifier: newVerifier(t, newFakeNode()), Signer: keys, Name: testBase, StatusLists: []StatusList{{"a", 8}}}
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// handlerTransport sends requests straight to a handler.
type handlerTransport struct{ http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// relyingOn returns a verifier of another service, which knows no revocation but
// what the lists of base say.
func relyingOn(t testing.TB, base string, transport http.RoundTripper) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{
			Issuer: testIssuer, Audience: []string{"api"}, Algorithms: []string{"HS256"}, HS256Secret: testKey,
			StatusLists: []string{base + statusPrefix}, StatusKeysURL: base + "/.well-known/jwks.json",
		}},
		DangerouslyIgnoreRevocations: true, HTTPClient: &http.Client{Transport: transport}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestForeignVerifierSeesARevocation: another service that has only the list
// refuses a token within two ttl of its revocation.
func TestForeignVerifierSeesARevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := statusRig(t, newFakeNode(), testBase)
		v := relyingOn(t, testBase, handlerTransport{r.api.Handler()})
		defer v.Close()
		raw, beside := referring(t, testList, 9), referring(t, testList, 10, "jti", "other", "sid", "other")
		if _, err := v.Verify(raw); token.Status(err) != http.StatusServiceUnavailable {
			t.Fatalf("before the list is there: %v", err)
		}
		time.Sleep(3 * time.Second)
		if _, err := v.Verify(raw); err != nil {
			t.Fatalf("with the list: %v", err)
		}
		wantStatus(t, r.do("DELETE", "/v1/session", raw, "", ""), http.StatusOK)
		time.Sleep(61 * time.Second)
		if _, err := v.Verify(raw); token.Status(err) != http.StatusUnauthorized {
			t.Errorf("two ttl after the log-out: %v", err)
		}
		if _, err := v.Verify(beside); err != nil {
			t.Errorf("the entry beside it: %v", err)
		}
	})
}

// TestEveryNodePublishesTheSameList revokes on one node of a real cluster and
// reads the list of another, over HTTP.
func TestEveryNodePublishesTheSameList(t *testing.T) {
	var nodes [2]*cluster.Node
	for i := range nodes {
		g := &cluster.Gossip{Bind: "127.0.0.1:0"}
		if i > 0 {
			g.Join = []string{nodes[0].GossipAddr()}
		}
		n, err := cluster.Start(cluster.Config{Name: string(rune('a' + i)), DataDir: t.TempDir(), Gossip: g, JoinTimeout: time.Second, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		nodes[i] = n
	}
	for _, n := range nodes {
		<-n.Ready()
	}
	var public http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { public.ServeHTTP(w, r) }))
	defer server.Close()
	uri := StatusListURI(server.URL, "idp")
	first, _ := statusRig(t, nodes[0], server.URL)
	second, keys := statusRig(t, nodes[1], server.URL)
	public = second.api.Handler()

	raw := referring(t, uri, 17)
	rec := first.do("DELETE", "/v1/session?ack=1&timeout=10s", raw, "", "")
	wantStatus(t, rec, http.StatusOK)
	wantStatus(t, second.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
	rec = second.do("GET", "/statuslists/idp", "", "", "")
	list, _ := listOf(t, rec.Body.String(), jwksOf(t, keys), uri)
	if got := revokedIn(list); !slices.Equal(got, []int{17}) {
		t.Errorf("the other node publishes %v", got)
	}
	v := relyingOn(t, server.URL, nil)
	defer v.Close()
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := v.Verify(raw)
		if token.Status(err) == http.StatusUnauthorized {
			break
		}
		if err == nil || time.Now().After(deadline) {
			t.Fatalf("by the list alone: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := v.Verify(referring(t, uri, 16, "jti", "x", "sid", "x")); err != nil {
		t.Errorf("the entry beside it: %v", err)
	}
}

func BenchmarkStatusList(b *testing.B) {
	node, err := cluster.Open(b.Context(), cluster.Config{Name: "a", DataDir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer node.Close()
	l := &published{publication: publication{uri: testList, size: 1 << 20}}
	for i := range 1000 {
		r := rescind.Revocation{Key: token.StatusReference{URI: testList, Index: uint64(i * 1000)}.Key()}
		if _, err := node.Revoke(b.Context(), r, rescind.AckLocal); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		list, err := l.ask(node)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(list.Encode())), "bytes")
	}
}

// TestLogoutWithoutTheList: that the issuer's list is not at hand keeps nobody
// logged in.
func TestLogoutWithoutTheList(t *testing.T) {
	n := newFakeNode()
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{
			Issuer: testIssuer, Audience: []string{"api"}, Algorithms: []string{"HS256"}, HS256Secret: testKey, StatusLists: []string{testBase + statusPrefix},
		}},
		Checker: n, HTTPClient: &http.Client{Transport: handlerTransport{http.NotFoundHandler()}}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	r := newRig(t, func(c *Config) { c.Node, c.Verifier = n, v })
	r.node = n
	raw := referring(t, testList, 1)
	wantProblem(t, r.do("GET", "/v1/check", raw, "", ""), problem.CannotKnow, "")
	end := time.Now().Add(10 * time.Second)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for strings.Contains(scrape(t, r), `rescind_status_list_failures_total{issuer="`+testIssuer+`"} 0`) {
		if time.Now().After(end) {
			t.Fatal("the failed fetch does not show")
		}
		<-poll.C
	}
	wantLines(t, scrape(t, r), `rescind_status_lists{issuer="`+testIssuer+`"} 1`, `rescind_status_lists_missing{issuer="`+testIssuer+`"} 1`)
	wantStatus(t, r.form("/oauth2/introspect", testAdmin, "token="+raw), http.StatusServiceUnavailable)
	wantStatus(t, r.do("DELETE", "/v1/session", raw, "", ""), http.StatusOK)
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
}
