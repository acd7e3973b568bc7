package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// served is a node in this process with a settings file.
type served struct {
	t      *testing.T
	dir    string
	addr   string
	log    lockedBuffer
	secret []byte
}

func (s *served) file(name string) string { return filepath.Join(s.dir, name) }

// issuer is an entry of tokens.issuers.
func (s *served) issuer(name string) string {
	return fmt.Sprintf("{issuer: %q, audience: [%s], hs256-secret-file: %q}", name, name, s.file("secret"))
}

// serveIn runs a node with these settings until the test ends.
func serveIn(t *testing.T, more string) *served {
	t.Helper()
	s := &served{t: t, dir: t.TempDir(), addr: freePorts(t, 1)[0], secret: []byte(rand.Text() + rand.Text())}
	put(t, s.file("secret"), string(s.secret))
	put(t, s.file("admin"), "the-admin-token-0123456789")
	put(t, s.file("node.yaml"), strings.ReplaceAll(more, "DIR", s.dir))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, env{[]string{"serve", "--config", s.file("node.yaml"), "--http.addr", s.addr, "--data.dir", s.file("data"), "--shutdown.delay", "0s"}, strings.NewReader(""), io.Discard, &s.log})
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 || t.Failed() {
			t.Errorf("serve ends with %d:\n%s", code, s.log.String())
		}
	})
	await(t, "ready", func() bool { status, _ := s.ask("GET", "/readyz", "", ""); return status == 200 })
	return s
}

// change replaces the settings and waits until they have been read.
func (s *served) change(more string) {
	s.t.Helper()
	put(s.t, s.file("node.yaml"), strings.ReplaceAll(more, "DIR", s.dir))
	before := s.metric("rescind_config_last_reload_success_timestamp_seconds") // by now: they are read by themselves, too
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	await(s.t, "the settings are read again", func() bool {
		return s.metric("rescind_config_last_reload_success_timestamp_seconds") != before
	})
}

func (s *served) ask(method, path, bearer, body string) (int, string) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

// metric returns the value of one without labels, as it is written; "" if there
// is none.
func (s *served) metric(name string) string {
	_, page := s.ask("GET", "/metrics", "", "")
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (s *served) token(issuer, jti string) string {
	raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": issuer, "aud": issuer, "sub": "ada", "jti": jti, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(s.secret)
	if err != nil {
		s.t.Error(err)
	}
	return raw
}

func (s *served) want(status int, what, method, path, bearer, body string) {
	s.t.Helper()
	if got, answer := s.ask(method, path, bearer, body); got != status {
		s.t.Errorf("%s: %d, want %d: %s", what, got, status, answer)
	}
}

const adminToken = "the-admin-token-0123456789"

// Each setting that a running node takes over changes what it does.
func TestServeTakesOverSettings(t *testing.T) {
	s := serveIn(t, "admin: {token-file: DIR/admin}\n")
	const revocation = `{"scope":"jti","id":"x","iss":"i"}`
	revoke := func(status int, what, bearer string) {
		t.Helper()
		s.want(status, what, "POST", "/v1/revocations", bearer, revocation)
	}
	revoke(201, "with the admin token", adminToken)
	s.want(401, "of no issuer", "GET", "/v1/check", s.token("a", "1"), "")

	base := "admin: {token-file: DIR/admin}\n"
	put(t, s.file("other"), "another-admin-token-0123456789")
	s.change("admin: {token-file: DIR/other}\n")
	revoke(401, "admin.token-file: the old one", adminToken)
	revoke(201, "admin.token-file: the new one", "another-admin-token-0123456789")

	put(t, s.file("named.yaml"), "- {name: alice, sha256: "+hashOf(t, "admin", "token-of-alice-0123456789")+"}\n")
	s.change("admin: {tokens-file: DIR/named.yaml}\n")
	revoke(201, "admin.tokens-file", "token-of-alice-0123456789")
	revoke(401, "admin.token-file: none any more", adminToken)

	s.change(base + "tokens: {issuers: [" + s.issuer("a") + "]}\n")
	s.want(200, "tokens.issuers", "GET", "/v1/check", s.token("a", "1"), "")
	s.want(201, "the only issuer", "POST", "/v1/revocations", adminToken, `{"scope":"jti","id":"x"}`)
	s.change(base + "tokens: {issuers: [" + s.issuer("a") + ", " + s.issuer("b") + "]}\n")
	s.want(200, "tokens.issuers: a second", "GET", "/v1/check", s.token("b", "1"), "")
	s.want(400, "the only issuer of two", "POST", "/v1/revocations", adminToken, `{"scope":"jti","id":"x"}`)

	s.change("admin: {token-file: DIR/admin, rate: 1}\n")
	await(t, "admin.rate holds", func() bool {
		status, _ := s.ask("GET", "/v1/cluster", adminToken, "")
		return status == 429
	})
	issuers := "tokens: {issuers: [" + s.issuer("a") + "]}\n"
	s.change(base + issuers + "revocations: {max: 1}\n") // administrators have a reserve beyond it
	s.want(503, "revocations.max: lowered", "DELETE", "/v1/session", s.token("a", "y"), "")
	s.change(base + issuers + "revocations: {max: 100}\n")
	s.want(200, "revocations.max: raised", "DELETE", "/v1/session", s.token("a", "y"), "")

	s.change(base + "memory: {limit: 200MiB}\n")
	if got := s.metric("rescind_revocations_bytes_limit"); got != "3.3554432e+07" {
		t.Errorf("memory.limit: %q bytes for revocations", got)
	}
	if got := s.metric("go_gc_gomemlimit_bytes"); got != "2.097152e+08" {
		t.Errorf("memory.limit: %q to the garbage collector", got)
	}

	s.change(base + "http: {client-rate: 1}\n")
	await(t, "http.client-rate holds", func() bool {
		status, _ := s.ask("DELETE", "/v1/session", "x", "")
		return status == 429
	})
	req := func() string {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.addr+"/v1/revocations", strings.NewReader(revocation))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+adminToken)
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return s.log.String()
	}
	if strings.Contains(req(), "remote=203.0.113.9") {
		t.Error("a proxy is believed that nobody trusts")
	}
	s.change(base + "http: {trusted-proxies: 127.0.0.1}\n")
	if !strings.Contains(req(), "remote=203.0.113.9") {
		t.Error("http.trusted-proxies has no effect")
	}
	s.change(base + "log: {level: error}\n")
	if before := len(s.log.String()); len(req()) != before {
		t.Error("log.level has no effect")
	}
	put(t, s.file("clients.yaml"), "- id: server\n  secret-hash: "+hashOf(t, "client", "secret")+"\n")
	introspect := func() int {
		resp, err := http.PostForm("http://"+s.addr+"/oauth2/introspect", url.Values{"token": {"x"}, "client_id": {"server"}, "client_secret": {"secret"}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := introspect(); got != 401 {
		t.Errorf("a client that is none yet: %d", got)
	}
	s.change(base + "oauth: {clients-file: DIR/clients.yaml}\n")
	if got := introspect(); got != 403 { // known, and may not
		t.Errorf("oauth.clients-file: %d", got)
	}
}

// Settings that can't be used change nothing, and are told.
func TestServeKeepsWhatWasGood(t *testing.T) {
	const good = "admin: {token-file: DIR/admin}\n"
	s := serveIn(t, good)
	hash := s.metric("rescind_config_hash")
	put(t, s.file("node.yaml"), "htp: {}\n")
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	await(t, "the fault is counted", func() bool { return s.metric("rescind_config_last_reload_successful") == "0" })
	if s.metric("rescind_config_reload_failures_total") == "0" || s.metric("rescind_config_hash") != hash {
		t.Error("the failure is not counted, or the hash has changed")
	}
	if !strings.Contains(s.log.String(), "did you mean http?") {
		t.Errorf("the log does not say why:\n%s", s.log.String())
	}
	s.want(200, "with the old settings", "GET", "/v1/cluster", adminToken, "")

	s.change(good + "gossip: {bind: '127.0.0.1:1'}\nchecks: {max-staleness: 20s}\n")
	var view struct {
		Settings struct {
			Failing     []string
			NeedRestart []string `json:"need_restart"`
		}
	}
	_, answer := s.ask("GET", "/v1/cluster", adminToken, "")
	if err := json.Unmarshal([]byte(answer), &view); err != nil || fmt.Sprint(view.Settings) != "{[] [gossip.bind]}" {
		t.Errorf("the status is %+v, %v", view, err)
	}
	if s.metric("rescind_config_restart_required") != "1" || s.metric("rescind_config_last_reload_successful") != "1" || s.metric("rescind_config_hash") == hash {
		t.Error("the metrics don't tell")
	}
	var out bytes.Buffer
	code := run(t.Context(), env{[]string{"status", "--addr", s.addr, "--admin-token-file", s.file("admin")}, nil, &out, &out})
	if code != 0 || !strings.Contains(out.String(), "take a restart to change: gossip.bind\n") {
		t.Errorf("status ends with %d and prints\n%s", code, out.String())
	}
}

// While settings change all the time, every check is answered, and rightly.
func TestServeReloadsUnderLoad(t *testing.T) {
	const base = "admin: {token-file: DIR/admin}\n"
	s := serveIn(t, base)
	variants := []string{
		base + "tokens: {issuers: [" + s.issuer("a") + "]}\nrevocations: {max: 1000}\n",
		base + "tokens: {issuers: [" + s.issuer("b") + ", " + s.issuer("a") + "]}\nchecks: {on-stale: reject}\nlog: {level: warn}\n",
		base + "tokens: {issuers: [" + s.issuer("a") + "]}\nadmin: {}\n", // twice: broken
	}
	s.change(variants[0])
	gone := s.token("a", "gone")
	s.want(201, "revoke", "POST", "/v1/revocations", adminToken, `{"scope":"jti","id":"gone","iss":"a"}`)
	var stop atomic.Bool
	var asked atomic.Int64
	var askers sync.WaitGroup
	for worker := range 4 {
		askers.Go(func() {
			for n := 0; !stop.Load(); n++ {
				for raw, want := range map[string]int{s.token("a", fmt.Sprint(worker, n%5)): 200, gone: 401} {
					if got, answer := s.ask("GET", "/v1/check", raw, ""); got != want {
						t.Errorf("a check is answered by %d, want %d: %s", got, want, answer)
						stop.Store(true)
					}
					asked.Add(1)
				}
			}
		})
	}
	for i := range 30 {
		put(t, s.file("node.yaml"), strings.ReplaceAll(variants[i%3], "DIR", s.dir))
		before := asked.Load()
		syscall.Kill(os.Getpid(), syscall.SIGHUP)
		await(t, "checks go on", func() bool { return asked.Load() > before+40 || stop.Load() })
	}
	stop.Store(true)
	askers.Wait()
	if s.metric("rescind_config_reload_failures_total") == "0" {
		t.Error("no broken settings were read meanwhile")
	}
	t.Logf("%d checks", asked.Load())
}

// A SIGHUP that comes while a node starts does not end it.
func TestHangupWhileStarting(t *testing.T) {
	dir, addr := t.TempDir(), freePorts(t, 1)[0]
	key := filepath.Join(dir, "cluster.key")
	if err := syscall.Mkfifo(key, 0o600); err != nil { // reading it waits for who writes
		t.Fatal(err)
	}
	p := start(t, dir, binary(t, "rescind"), "serve", "--cluster.key-file", key, "--http.addr", addr, "--data.dir", filepath.Join(dir, "data"), "--shutdown.delay", "0s")
	f, err := os.OpenFile(key, os.O_WRONLY, 0) // returns when the node reads
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	if _, err := f.WriteString("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="); err != nil {
		t.Fatal(err)
	}
	f.Close()
	await(t, "ready", func() bool {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
	await(t, "the signal is obeyed", func() bool { return strings.Contains(p.out.String(), "SIGHUP: settings and files read again") })
	if err := p.end(t, os.Interrupt); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
}
