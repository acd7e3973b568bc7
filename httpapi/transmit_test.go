package httpapi

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"rescind/httpapi/ssf"
	"rescind/internal/problem"
	"rescind/token"
)

const (
	ourName       = "https://rescind.example"
	receiverToken = "token-of-the-receiver-that-polls"
)

// offering is an API that tells one receiver, who polls.
func offering(t testing.TB, change ...func(*Config)) *rig {
	t.Helper()
	log, err := ssf.OpenLog(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(receiverToken))
	tx, err := ssf.NewTransmitter(ssf.TransmitterConfig{
		Issuer: ourName, Signer: keys, Log: log, Logger: slog.New(slog.DiscardHandler),
		Receivers: []ssf.Receiver{
			{Name: "poller", Audience: receiver, SHA256: hex.EncodeToString(sum[:])},
			{Name: "origin", Audience: receiver, SHA256: strings.Repeat("00", 32), Issuer: testIssuer},
			{Name: "pushed", Audience: receiver, Push: "https://127.0.0.1:1/", SHA256: hex.EncodeToString(make([]byte, 31)) + "07"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tx.Close()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return newRig(t, append([]func(*Config){func(c *Config) {
		c.Transmitter, c.Signer, c.Name, c.JWKS = tx, keys, ourName, keys.JWKS
		c.EventAudience = map[string][]string{testIssuer: {receiver}}
		c.LogoutAudience = map[string][]string{testIssuer: {relyingParty}}
	}}, change...)...)
}

func (r *rig) pollAs(raw, request string) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.do("POST", eventPollPath, raw, "application/json", request)
}

// offered polls until n events wait, and returns them.
func (r *rig) offered(n int) map[string]string {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		rec := r.pollAs(receiverToken, `{}`) // waits for the first
		wantStatus(r.t, rec, http.StatusOK)
		var got struct {
			Sets map[string]string `json:"sets"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
			r.t.Fatal(err)
		}
		if len(got.Sets) >= n || time.Now().After(deadline) {
			return got.Sets
		}
	}
}

// TestWhatIsRevokedIsTold, by whatever way, and can be verified with our keys.
func TestWhatIsRevokedIsTold(t *testing.T) {
	r := offering(t)
	wantStatus(t, r.do("DELETE", "/v1/session", access(t, "sid", "s-1"), "", ""), http.StatusOK)
	wantStatus(t, r.do("DELETE", "/v1/sessions", access(t, "sub", "bob", "sid", "s-2"), "", ""), http.StatusOK)
	wantStatus(t, r.post("/v1/revocations", `{"scope":"sub","id":"carol"}`), http.StatusCreated)
	wantStatus(t, r.post("/v1/revocations", `{"scope":"kid","id":"k"}`), http.StatusCreated) // no session: not told
	wantStatus(t, r.do("POST", "/v1/revocations/bulk", testAdmin, "application/x-ndjson", `{"scope":"sid","id":"s-3"}`+"\n"), http.StatusOK)
	wantStatus(t, r.pushed(event(disabled, object{"format": "opaque", "id": "dave"})), http.StatusAccepted)
	if got := r.logout(sign(t, "logout+jwt", logoutClaimsOf("sid", "s-4"))); got != http.StatusOK {
		t.Fatal(got)
	}
	sets := r.offered(6)
	jwks, err := r.api.cfg.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Checker: r.node,
		Issuers: []token.IssuerConfig{{Issuer: ourName, JWKS: jwks, Algorithms: []string{"ES256"}, EventsOnly: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var all strings.Builder
	for id, raw := range sets {
		verified, err := v.VerifyIgnoringRevocation(raw, token.Inspection{AllowNoExp: true, Types: []string{token.TypeEvent}, Audience: []string{receiver}})
		if err != nil || verified.Token.ID != id {
			t.Fatalf("%v, %s", err, raw)
		}
		var c object
		if err := verified.Decode(&c); err != nil || c["sub"] != nil || c["exp"] != nil {
			t.Errorf("%v %v", c, err)
		}
		sub, _ := json.Marshal(c["sub_id"])
		all.Write(sub)
	}
	for _, want := range []string{"s-1", "bob", "carol", "s-3", "dave", "s-4"} {
		if n := strings.Count(all.String(), `"`+want+`"`); n != 1 {
			t.Errorf("%s is told %d times of %d events", want, n, len(sets))
		}
	}
	if len(sets) != 6 {
		t.Errorf("%d events", len(sets))
	}
	wantLines(t, scrape(t, r), `rescind_events_waiting{receiver="poller"} 6`, `rescind_events_waiting{receiver="origin"} 4`, // not of its own event and logout token
		`rescind_events_told_total{receiver="poller",result="delivered"} 0`)
	ids, _ := json.Marshal(map[string]any{"maxEvents": 0, "ack": keysOf(sets)})
	wantStatus(t, r.pollAs(receiverToken, string(ids)), http.StatusOK)
	wantLines(t, scrape(t, r), `rescind_events_waiting{receiver="poller"} 0`, `rescind_events_told_total{receiver="poller",result="delivered"} 6`)
}

func keysOf(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// TestPollsAreForReceivers alone.
func TestPollsAreForReceivers(t *testing.T) {
	r := offering(t)
	for _, path := range []string{eventPollPath, eventVerifyPath} {
		for _, raw := range []string{"", "x", testAdmin, access(t)} {
			rec := r.do("POST", path, raw, "application/json", `{}`)
			wantProblem(t, rec, problem.Receiver, "")
			if got := rec.Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") || strings.Contains(got, "invalid_token") != (raw != "") {
				t.Error(got)
			}
		}
		wantProblem(t, newRig(t).do("POST", path, receiverToken, "application/json", `{}`), problem.NotFound, "")
	}
	wantProblem(t, r.pollAs(receiverToken, `{"ack":7}`), problem.Malformed, "")
	wantProblem(t, r.pollAs(receiverToken, `{"ack":["`+strings.Repeat("x", maxBody)+`"]}`), problem.TooLarge, "")
	wantProblem(t, r.do("POST", eventPollPath, receiverToken, "text/plain", `{}`), problem.MediaType, "")
	wantStatus(t, r.pollAs(receiverToken, `{"returnImmediately":true}`), http.StatusOK)
}

func TestVerificationIsSent(t *testing.T) {
	r := offering(t)
	verify := func(body string) *httptest.ResponseRecorder {
		return r.do("POST", eventVerifyPath, receiverToken, "application/json", body)
	}
	wantStatus(t, verify(`{"stream_id":"poller","state":"of-mine"}`), http.StatusNoContent)
	wantProblem(t, verify(`{"stream_id":"origin"}`), problem.NotFound, "")
	wantProblem(t, verify(`{"state":"`+strings.Repeat("x", 1025)+`"}`), problem.InvalidField, "state")
	wantProblem(t, verify(`{"else":1}`), problem.InvalidField, "else")
	for _, raw := range r.offered(1) {
		// Our own receiver takes it, and ends nothing.
		own := newRig(t, func(c *Config) { c.EventAudience = map[string][]string{ourName: {receiver}} })
		jwks, err := r.api.cfg.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		if err := own.api.cfg.Verifier.SetIssuers([]token.IssuerConfig{{Issuer: ourName, JWKS: jwks, Algorithms: []string{"ES256"}, EventsOnly: true}}); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, own.push(raw), http.StatusAccepted)
	}
}

func TestSSFConfiguration(t *testing.T) {
	wantProblem(t, newRig(t).do("GET", "/.well-known/ssf-configuration", "", "", ""), problem.NotFound, "")
	rec := offering(t).do("GET", "/.well-known/ssf-configuration", "", "", "")
	wantStatus(t, rec, http.StatusOK)
	const want = `{"spec_version":"1_0","issuer":"https://rescind.example","jwks_uri":"https://rescind.example/.well-known/jwks.json",` +
		`"delivery_methods_supported":["urn:ietf:rfc:8935","urn:ietf:rfc:8936"],"verification_endpoint":"https://rescind.example/v1/security-events/verify",` +
		`"authorization_schemes":[{"spec_urn":"urn:ietf:rfc:6750"}],"default_subjects":"ALL"}`
	if got := rec.Body.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestALongPollOutlastsTheServersDeadlines, and ends when the node drains.
func TestALongPollOutlastsTheServersDeadlines(t *testing.T) {
	r := offering(t)
	server := httptest.NewUnstartedServer(r.api.Handler())
	server.Config = NewServer("", r.api.Handler(), nil)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 1500*time.Millisecond, 1500*time.Millisecond
	server.Start()
	defer server.Close()
	ask := func() <-chan string {
		answer := make(chan string, 1)
		req, err := http.NewRequest("POST", server.URL+eventPollPath, strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+receiverToken)
		req.Header.Set("Content-Type", "application/json")
		go func() {
			resp, err := server.Client().Do(req)
			if err != nil {
				answer <- err.Error()
				return
			}
			defer resp.Body.Close()
			line, _ := bufio.NewReader(resp.Body).ReadString(0)
			answer <- line
		}()
		return answer
	}
	polled := ask()
	select {
	case got := <-polled:
		t.Fatalf("it ended with %s", got)
	case <-time.After(4 * time.Second): // more than twice the deadlines
	}
	wantStatus(t, r.post("/v1/revocations", `{"scope":"sub","id":"carol"}`), http.StatusCreated)
	if got := <-polled; !strings.HasPrefix(got, `{"sets":{"1-`) {
		t.Fatal(got)
	}
	ids, _ := json.Marshal(map[string]any{"maxEvents": 0, "ack": keysOf(r.offered(1))})
	r.pollAs(receiverToken, string(ids))
	polled = ask()
	r.api.Drain()
	select {
	case got := <-polled:
		if got != `{"sets":{}}` {
			t.Error(got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the drain ends no poll")
	}
}
