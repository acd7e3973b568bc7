package recipes_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// proxy is a program that runs a recipe.
type proxy struct {
	name  string
	files []string                       // recipes; the first is the configuration
	args  func(dir string) []string      // how to run it on the recipes in dir
	wrap  func(dir string) (n, c string) // one more file: its name and content
}

var proxies = []proxy{
	{
		name: "nginx", files: []string{"nginx.conf"},
		args: func(dir string) []string { return []string{"-p", dir, "-c", filepath.Join(dir, "main.conf")} },
		wrap: func(dir string) (string, string) {
			return "main.conf", "daemon off; pid " + dir + "/pid; error_log stderr;\nevents {}\nhttp { access_log off; include " + dir + "/nginx.conf; }\n"
		},
	},
	{
		name: "haproxy", files: []string{"haproxy.cfg", "rescind.lua"},
		args: func(dir string) []string { return []string{"-db", "-C", dir, "-f", filepath.Join(dir, "haproxy.cfg")} },
	},
	{
		name: "caddy", files: []string{"Caddyfile"},
		args: func(dir string) []string {
			return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(dir, "main")}
		},
		wrap: func(dir string) (string, string) {
			// One process among others on this machine: no admin port, no folder in home.
			return "main", "{\n\tadmin off\n\tpersist_config off\n\tstorage file_system " + dir + "\n}\nimport Caddyfile\n"
		},
	},
}

// start runs the proxy in front of s and returns its URL.
func (p proxy) start(t *testing.T, s *site) string {
	t.Helper()
	path, err := exec.LookPath(p.name)
	if err != nil {
		t.Skipf("%s is not on the PATH", p.name)
	}
	dir, front := t.TempDir(), freePort(t)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // nginx's workers are another user
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(front)
	replace := strings.NewReplacer(
		"127.0.0.1:8080", s.asked.Listener.Addr().String(),
		"127.0.0.1:9000", s.backend.Listener.Addr().String(),
		"127.0.0.1:8000", front, ":8000", ":"+port)
	for _, name := range p.files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), replace.Replace(string(content)))
	}
	if p.wrap != nil {
		name, content := p.wrap(dir)
		write(t, filepath.Join(dir, name), content)
	}
	cmd := exec.Command(path, p.args(dir)...)
	cmd.Dir = dir
	run(t, cmd)
	await(t, p.name+" listens", func() bool {
		c, err := net.DialTimeout("tcp", front, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return "http://" + front
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run starts cmd and ends it with the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out locked
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // nginx's master takes its workers with it
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, out.String())
		}
	})
}

type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ask sends one request through a proxy.
func ask(t *testing.T, method, url, raw, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if raw != "" {
		req.Header.Set("Authorization", "Bearer "+raw)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}
