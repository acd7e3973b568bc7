package recipes_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rescind/cluster"
	"rescind/httpapi"
	"rescind/token"
)

const issuer = "https://issuer.example"

var secret = []byte("jX2v9Q!r7Tz#Lm4Kp8Wd$Yc6Bn1Gs5Hf")

// site is a cluster of two nodes and a backend. Proxies ask the first node;
// revocations are made on the second, as in life they may be.
type site struct {
	asked   *httptest.Server // the first node's HTTP face
	other   *cluster.Node
	backend *httptest.Server
}

// seen is what the backend tells of a request that reached it.
type seen struct {
	Method string
	Header http.Header
	Body   int
}

func newSite(t *testing.T) *site {
	t.Helper()
	first := open(t, "first", nil)
	other := open(t, "other", []string{first.GossipAddr()})
	verifier, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{Issuer: issuer, Algorithms: []string{"HS256"}, HS256Secret: secret}},
		Checker: first,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	api, err := httpapi.New(httpapi.Config{Node: first, Verifier: verifier, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{asked: httptest.NewServer(api.Handler()), other: other, backend: httptest.NewServer(http.HandlerFunc(tell))}
	t.Cleanup(s.asked.Close)
	t.Cleanup(s.backend.Close)
	return s
}

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, name string, join []string) *cluster.Node {
	t.Helper()
	node, err := cluster.Start(cluster.Config{
		Name: name, DataDir: t.TempDir(), JoinTimeout: time.Second, Logger: quiet,
		Gossip: &cluster.Gossip{Bind: "127.0.0.1:0", Join: join},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	return node
}

// meet waits until both nodes know each other.
func (s *site) meet(t *testing.T) {
	t.Helper()
	<-s.other.Ready()
	await(t, "the first node is ready", func() bool {
		resp, err := http.Get(s.asked.URL + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	await(t, "the nodes have met", func() bool { return len(s.other.Status().Members) == 1 })
}

func tell(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	if r.URL.Path == "/broken" {
		http.Error(w, "the backend's own", http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(seen{r.Method, r.Header, int(n)})
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
		<-poll.C
	}
}

// mint returns a token with this jti; pairs change its claims, and nil removes
// one.
func mint(t *testing.T, jti string, pairs ...any) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": issuer, "sub": "alice", "sid": "session of " + jti, "jti": jti, "aud": "api",
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		} else {
			claims[pairs[i].(string)] = pairs[i+1]
		}
	}
	raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// freePort returns a loopback address on which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
