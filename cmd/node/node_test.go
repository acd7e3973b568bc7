package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These tests run the real binary as processes, as users do, and a real
// nats-server.

var built struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(built.dir) // "" if nothing was built
	os.Exit(code)
}

// binary builds a command of this module, or one that it requires, once.
func binary(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds binaries and starts processes")
	}
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "rescind-test-"); built.err != nil {
			return
		}
		for out, pkg := range map[string]string{"rescind": ".", "nats-server": "github.com/nats-io/nats-server/v2"} {
			if text, err := exec.Command("go", "build", "-o", filepath.Join(built.dir, out), pkg).CombinedOutput(); err != nil {
				built.err = fmt.Errorf("build %s: %w\n%s", pkg, err, text)
			}
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

// process is a running command.
type process struct {
	cmd  *exec.Cmd
	out  *lockedBuffer
	exit chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, dir, path string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), out: &lockedBuffer{}, exit: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.exit <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %s:\n%s", filepath.Base(path), strings.Join(args, " "), p.out)
		}
	})
	return p
}

// kill ends the process by SIGKILL and waits; it may be called again.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.exit <- <-p.exit
}

// end sends a signal and returns how the process ended.
func (p *process) end(t *testing.T, s os.Signal) error {
	t.Helper()
	p.cmd.Process.Signal(s)
	select {
	case err := <-p.exit:
		p.exit <- err
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("still running after %v", s)
		return nil
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
		<-poll.C
	}
}

// freePorts returns loopback addresses that nobody listens on.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	addrs := make([]string, n)
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs[i] = l.Addr().String()
	}
	return addrs
}

// request returns the status and the body, or 0 if nobody answers.
func request(t *testing.T, method, url, token string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// site is a cluster of three processes.
type site struct {
	t            *testing.T
	dir          string
	http, gossip []string
	nats         string
	mode         string
	life         int // counts how often nodes without disks have begun anew
	nodes        [3]*process
	natsServer   *process
}

func newSite(t *testing.T, mode string) *site {
	addrs := func() []string { return freePorts(t, 7) }()
	s := &site{t: t, dir: t.TempDir(), http: addrs[:3], gossip: addrs[3:6], nats: addrs[6], mode: mode}
	if out, err := exec.Command(binary(t, "rescind"), "keys", "generate", "--dir", filepath.Join(s.dir, "keys")).CombinedOutput(); err != nil {
		t.Fatalf("keys generate: %v\n%s", err, out)
	}
	if mode == "both" || mode == "nats" || mode == "shared log" {
		s.startNATS()
	}
	for i := range s.nodes {
		s.start(i)
	}
	s.ready()
	return s
}

func (s *site) startNATS() {
	if s.mode == "shared log" {
		s.startJetStream()
		return
	}
	_, port, _ := net.SplitHostPort(s.nats)
	s.natsServer = start(s.t, s.dir, binary(s.t, "nats-server"), "-a", "127.0.0.1", "-p", port)
}

func (s *site) start(i int) {
	args := []string{"serve", "--node.name", fmt.Sprint("n", i), "--http.addr", s.http[i], "--data.dir", fmt.Sprint("data", i),
		"--cluster.key-file", "keys/cluster.key", "--admin.token-file", "keys/admin.token", "--tokens.issuers", "keys/issuers.yaml", "--shutdown.delay", "0s"}
	if s.mode == "both" || s.mode == "gossip" || s.mode == "shared log" {
		args = append(args, "--gossip.bind", s.gossip[i], "--gossip.join", strings.Join(s.gossip, ","))
	}
	if s.mode != "gossip" {
		args = append(args, "--nats.url", "nats://"+s.nats)
	}
	if s.mode == "shared log" {
		args = append(args, "--store.kind", "jetstream", "--store.dangerously-assume-sync", "true", "--store.max-bytes", "64MiB",
			"--node.name", fmt.Sprint("n", i, "-", s.life), "--data.dir", fmt.Sprint("data", i, "-", s.life))
	}
	if s.mode == "embedded" && i == 0 {
		args = append(args, "--nats.embedded")
	}
	s.nodes[i] = start(s.t, s.dir, binary(s.t, "rescind"), args...)
}

func (s *site) ready() {
	s.t.Helper()
	for i, addr := range s.http {
		await(s.t, fmt.Sprintf("node %d is ready", i), func() bool { code, _ := request(s.t, "GET", "http://"+addr+"/readyz", ""); return code == 200 })
	}
}

func (s *site) mint(user, device string) string {
	s.t.Helper()
	out, err := exec.Command(binary(s.t, "rescind"), "keys", "token", "--dir", filepath.Join(s.dir, "keys"), "--user", user, "--device", device).Output()
	if err != nil {
		s.t.Fatalf("keys token: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func (s *site) expect(want int, token string) {
	s.t.Helper()
	for i, addr := range s.http {
		var code int
		await(s.t, fmt.Sprintf("node %d answers %d", i, want), func() bool {
			code, _ = request(s.t, "GET", "http://"+addr+"/v1/check", token)
			return code == want
		})
	}
}

func (s *site) logout(i int, token, query string) {
	s.t.Helper()
	if code, body := request(s.t, "DELETE", "http://"+s.http[i]+"/v1/session"+query, token); code != 200 && code != 202 {
		s.t.Fatalf("logout on node %d: %d %s", i, code, body)
	}
}

// TestServe runs three processes in each mode: revoked on one, refused on all,
// also after all were killed at once.
func TestServe(t *testing.T) {
	for _, mode := range []string{"both", "gossip", "nats", "embedded"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t, mode)
			phone, laptop, tablet := s.mint("ada", "phone"), s.mint("ada", "laptop"), s.mint("ada", "tablet")
			s.expect(200, phone)
			s.logout(0, phone, "?ack=all")
			s.expect(401, phone)
			s.expect(200, laptop)
			if mode == "both" { // NATS dies in the middle: nothing is lost, and its return is noticed
				s.natsServer.kill()
				s.logout(1, tablet, "?ack=all")
				s.expect(401, tablet)
				s.startNATS()
				await(t, "reconnected", func() bool {
					_, metrics := request(t, "GET", "http://"+s.http[2]+"/metrics", "")
					return strings.Contains(metrics, `rescind_carrier_connected{carrier="nats"} 1`)
				})
			}
			for _, n := range s.nodes {
				n.cmd.Process.Kill()
			}
			for i, n := range s.nodes {
				n.kill()
				s.start(i)
			}
			s.neverValidUntilReady(phone)
			s.ready()
			s.expect(401, phone)
			s.expect(200, laptop)
			if mode == "both" {
				s.expect(401, tablet)
			}
			for i, n := range s.nodes {
				if err := n.end(t, syscall.SIGTERM); err != nil {
					t.Errorf("node %d after SIGTERM: %v", i, err)
				}
			}
		})
	}
}

// neverValidUntilReady watches the restart: a revoked token is never accepted.
func (s *site) neverValidUntilReady(revoked string) {
	s.t.Helper()
	for i, addr := range s.http {
		await(s.t, fmt.Sprintf("node %d is back", i), func() bool {
			if code, _ := request(s.t, "GET", "http://"+addr+"/v1/check", revoked); code == 200 {
				s.t.Fatalf("node %d accepts a revoked token while it starts", i)
			}
			code, _ := request(s.t, "GET", "http://"+addr+"/readyz", "")
			return code == 200
		})
	}
}

// TestDev pastes what 'node dev' prints into a shell.
func TestDev(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s to paste the printed lines into", tool)
		}
	}
	p := start(t, t.TempDir(), binary(t, "rescind"), "dev", "--http", "127.0.0.1:0")
	await(t, "the guide is printed", func() bool { return strings.Contains(p.out.String(), "/v1/cluster") })
	var script strings.Builder
	for line := range strings.Lines(p.out.String()) {
		if strings.HasPrefix(line, "  ") && !regexp.MustCompile(`^  node\d`).MatchString(line) {
			script.WriteString("echo; echo '#'; " + line)
		}
	}
	out, err := exec.Command("bash", "-c", script.String()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	steps := strings.Split(string(out), "\n#\n")
	codes := regexp.MustCompile(`(?m)^\d{3}$`)
	for i, want := range map[int]string{5: "200 200 200 200 200 200", 7: "401 401 401 200 200 200", 9: "401 401 401"} {
		if got := strings.Join(codes.FindAllString(steps[i], -1), " "); got != want {
			t.Errorf("step %d answers %q, want %q\n%s", i, got, want, out)
		}
	}
	var receipt struct {
		Window float64 `json:"window_ms"`
	}
	if err := json.Unmarshal([]byte(steps[6]), &receipt); err != nil || receipt.Window <= 0 {
		t.Errorf("the log-out answers %s (%v)", steps[6], err)
	}
	if err := p.end(t, os.Interrupt); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

// TestBadInput: settings and commands that can't be used exit with 2 and say
// why.
func TestBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no command":      {nil, 2, "Usage"},
		"unknown command": {[]string{"sevre"}, 2, `no command "sevre"`},
		"help":            {[]string{"--help"}, 0, "healthcheck"},
		"bad setting":     {[]string{"config", "check", "--log.level", "loud"}, 2, "debug, info, warn or error"},
		"missing secret":  {[]string{"config", "check", "--cluster.key-file", "/nonexistent"}, 2, "cluster.key-file"},
		"good settings":   {[]string{"config", "check", "--log.level", "warn"}, 0, "good"},
		"too many nodes":  {[]string{"dev", "--nodes", "1000"}, 2, "--nodes"},
		"no node there":   {[]string{"healthcheck", "--addr", "127.0.0.1:1"}, 3, "reach the node"},
		"no token":        {[]string{"check", "--addr", "127.0.0.1:1"}, 2, "no token"},
		"bad address":     {[]string{"status", "--addr", "http://"}, 2, "--addr"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := run(t.Context(), env{c.args, strings.NewReader(""), &out, &out})
			if code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("exit code %d and %q; want %d and %q", code, out.String(), c.code, c.says)
			}
		})
	}
}
