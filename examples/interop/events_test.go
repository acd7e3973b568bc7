package interop_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"rescind/cluster"
	"rescind/httpapi"
	"rescind/httpapi/ssf"
	"rescind/token"
)

// TestGoOIDCTakesOurEvents: go-oidc finds our keys by the transmitter's metadata, and
// accepts what is pushed and what is polled for the audience that it is meant for.
func TestGoOIDCTakesOurEvents(t *testing.T) {
	pushed := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/secevent+jwt" {
			t.Errorf("%v, %v", r.Header, err)
		}
		pushed <- string(raw)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	const pollToken = "token-of-who-polls"
	sum := sha256.Sum256([]byte(pollToken))
	url := newTransmitter(t, []ssf.Receiver{
		{Name: "push", Audience: "https://push.example", Push: receiver.URL},
		{Name: "poll", Audience: "https://poll.example", SHA256: hex.EncodeToString(sum[:])},
	})
	var meta struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	fetch(t, "GET", url+"/.well-known/ssf-configuration", "", "", &meta)
	fetch(t, "POST", url+"/v1/revocations", adminToken, `{"scope":"sub","iss":"https://idp.example","id":"ada"}`, nil)
	var polled struct {
		Sets map[string]string `json:"sets"`
	}
	fetch(t, "POST", url+"/v1/security-events/poll", pollToken, `{}`, &polled)
	if len(polled.Sets) != 1 {
		t.Fatalf("%d events are polled", len(polled.Sets))
	}
	events := map[string]string{}
	for _, raw := range polled.Sets {
		events["https://poll.example"] = raw
	}
	select {
	case events["https://push.example"] = <-pushed:
	case <-time.After(10 * time.Second):
		t.Fatal("no event is pushed")
	}
	keys := oidc.NewRemoteKeySet(t.Context(), meta.JWKSURI)
	verifier := func(audience string) *oidc.IDTokenVerifier {
		return oidc.NewVerifier(meta.Issuer, keys, &oidc.Config{ClientID: audience, SkipExpiryCheck: true, SupportedSigningAlgs: []string{"ES256"}})
	}
	for audience, raw := range events {
		verified, err := verifier(audience).Verify(t.Context(), raw)
		if err != nil {
			t.Errorf("%s: %v", audience, err)
			continue
		}
		var claims struct {
			SubID  map[string]string         `json:"sub_id"`
			Events map[string]map[string]any `json:"events"`
		}
		if err := verified.Claims(&claims); err != nil || claims.SubID["sub"] != "ada" || claims.Events["https://schemas.openid.net/secevent/caep/event-type/session-revoked"] == nil {
			t.Errorf("%+v, %v", claims, err)
		}
		if _, err := verifier("https://other.example").Verify(t.Context(), raw); err == nil {
			t.Error("the event passes for another audience")
		}
	}
}

const adminToken = "an-admin-token-for-this-test"

// newTransmitter serves a node that tells receivers, and returns its URL.
func newTransmitter(t *testing.T, receivers []ssf.Receiver) string {
	t.Helper()
	node, err := cluster.Open(t.Context(), cluster.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(t.Context(), token.VerifierConfig{Checker: node})
	if err != nil {
		t.Fatal(err)
	}
	log, err := ssf.OpenLog(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	tx, err := ssf.NewTransmitter(ssf.TransmitterConfig{Issuer: server.URL, Signer: keys, Log: log, Receivers: receivers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tx.Close)
	api, err := httpapi.New(httpapi.Config{
		Node: node, Verifier: verifier, JWKS: keys.JWKS, Signer: keys, Name: server.URL, Transmitter: tx, AdminToken: []byte(adminToken),
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", api.Handler())
	return server.URL
}

// fetch sends JSON and reads the answer into v, if that is not nil.
func fetch(t *testing.T, method, url, bearer, body string, v any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s: %d %s, %v", url, resp.StatusCode, raw, err)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
}
