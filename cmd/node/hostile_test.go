package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These tests attack the real binary as somebody does who only reaches its ports.

// flood is many connections that one attacker holds.
type flood struct {
	mu   sync.Mutex
	open []net.Conn
}

// hold dials n connections, sends each what begin is, and keeps them all.
func (f *flood) hold(t *testing.T, n int, dial func() (net.Conn, error), begin []byte) {
	t.Helper()
	var running sync.WaitGroup
	slots := make(chan struct{}, 64)
	for range n {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			conn, err := dial()
			if err != nil {
				return // refused, or reset in the handshake
			}
			conn.SetWriteDeadline(time.Now().Add(2 * time.Second)) // nobody reads: so it stays
			conn.Write(begin)
			f.mu.Lock()
			f.open = append(f.open, conn)
			f.mu.Unlock()
		})
	}
	running.Wait()
}

func (f *flood) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range f.open {
		conn.Close()
	}
}

// halfSent is a request as large as may be, all but the end of its body. It is for an
// endpoint where the body decides.
func halfSent() []byte {
	var b strings.Builder
	b.WriteString("POST /oauth2/revoke HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 65000\r\n")
	for i := range 30 {
		fmt.Fprintf(&b, "X-Filler-%d: %s\r\n", i, strings.Repeat("f", 1000))
	}
	b.WriteString("\r\ntoken=" + strings.Repeat("t", 64000))
	return []byte(b.String())
}

func dialer(addr string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.DialTimeout("tcp", addr, 5*time.Second) }
}

func tlsDialer(addr string) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
}

// memoryOfProcess is its resident memory in bytes.
func memoryOfProcess(t *testing.T, p *process) int64 {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc here")
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	_, rest, ok := strings.Cut(string(status), "VmRSS:")
	if !ok {
		t.Fatal("the node has ended")
	}
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// openNode is a node that strangers reach, with operators at their own listener.
type openNode struct {
	*process
	http, admin, grpc, gossip, token string
}

// startOpenNode starts it by a shell, which first does what prepare says.
func startOpenNode(t *testing.T, prepare string, more ...string) *openNode {
	t.Helper()
	dir, addrs := t.TempDir(), freePorts(t, 4)
	keys := filepath.Join(dir, "keys")
	if out, err := exec.Command(binary(t, "rescind"), "keys", "generate", "--dir", keys).CombinedOutput(); err != nil {
		t.Fatalf("keys generate: %v\n%s", err, out)
	}
	args := append([]string{
		"serve", "--http.addr", addrs[0], "--admin.addr", addrs[1], "--grpc.addr", addrs[2], "--gossip.bind", addrs[3],
		"--cluster.key-file", filepath.Join(keys, "cluster.key"), "--admin.token-file", filepath.Join(keys, "admin.token"),
		"--data.dir", filepath.Join(dir, "data"), "--shutdown.delay", "0s",
	}, more...)
	p := start(t, dir, "/bin/sh", append([]string{"-c", prepare + ` exec "$0" "$@"`, binary(t, "rescind")}, args...)...)
	n := &openNode{process: p, http: addrs[0], admin: addrs[1], grpc: addrs[2], gossip: addrs[3], token: strings.TrimSpace(get(t, filepath.Join(keys, "admin.token")))}
	scheme := n.scheme(more)
	await(t, "the node is ready", func() bool {
		code, _ := insecureRequest(t, "GET", scheme+n.admin+"/readyz", "", "")
		return code == 200
	})
	return n
}

func (n *openNode) scheme(args []string) string {
	if strings.Contains(strings.Join(args, " "), "tls-cert-file") {
		return "https://"
	}
	return "http://"
}

// stands fails the test unless operators get in, revoke, and the process lives.
func (n *openNode) stands(t *testing.T, scheme, id string) {
	t.Helper()
	body := `{"scope":"jti","iss":"https://issuer.example","id":"` + id + `","expires_at":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`
	code, answer := insecureRequest(t, "POST", scheme+n.admin+"/v1/revocations", n.token, body)
	if code != 201 {
		t.Errorf("an operator's revocation: %d %s", code, answer)
	}
	select {
	case err := <-n.exit:
		n.exit <- err
		t.Fatalf("the node has ended: %v", err)
	default:
	}
}

// metric returns the value of one series.
func (n *openNode) metric(t *testing.T, scheme, series string) float64 {
	t.Helper()
	_, page := insecureRequest(t, "GET", scheme+n.admin+"/metrics", n.token, "")
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s in:\n%s", series, page)
	return 0
}

// TestAttackDescriptors: connections that do nothing, more than the process may have
// files open. They used to keep operators out, and then to end the node: the store
// could not open a file, and was taken for failed.
func TestAttackDescriptors(t *testing.T) {
	n := startOpenNode(t, "ulimit -n 256;")
	f := &flood{}
	defer f.close()
	f.hold(t, 400, dialer(n.http), []byte("GET / HTTP/1.1\r\n"))
	f.hold(t, 200, dialer(n.grpc), []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	f.hold(t, 200, dialer(n.gossip), []byte{244})
	n.stands(t, "http://", "a")
	if refused := n.metric(t, "http://", `rescind_admission_refused_total{of="connections to http.addr"}`); refused < 200 {
		t.Errorf("%v connections were refused", refused)
	}
	if lines := strings.Count(n.out.String(), "there is no room"); lines == 0 || lines > 30 {
		t.Errorf("%d lines about it", lines)
	}
	f.close()
	await(t, "others are served again", func() bool {
		code, _ := insecureRequest(t, "GET", "http://"+n.http+"/healthz", "", "")
		return code == 200
	})
	if err := n.end(t, syscall.SIGTERM); err != nil {
		t.Errorf("end: %v", err)
	}
}

// memoryGroup makes a control group with a memory limit, or skips, and returns what a
// shell does to be in it.
func memoryGroup(t *testing.T, limit int) string {
	t.Helper()
	for _, g := range []struct{ dir, file string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"},
	} {
		dir := filepath.Join(g.dir, fmt.Sprintf("rescind-test-%d", time.Now().UnixNano()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(dir) })
		if err := os.WriteFile(filepath.Join(dir, g.file), []byte(strconv.Itoa(limit)), 0o644); err != nil {
			continue
		}
		return "echo $$ > " + dir + "/cgroup.procs;"
	}
	t.Skip("no control group with a memory limit can be made here")
	return ""
}

// TestAttackMemory: a node in a container of 200 MiB whose memory nobody set, and
// thousands of requests as large as may be whose bodies never end, TLS or not, streams
// of gossip by strangers besides. 6,282 small ones were enough to have it killed.
func TestAttackMemory(t *testing.T) {
	const limit = 200 << 20
	for _, scheme := range []string{"http://", "https://"} {
		t.Run(scheme, func(t *testing.T) {
			dir := t.TempDir()
			args, dial := []string{}, dialer
			if scheme == "https://" {
				writeCertificate(t, dir, 1)
				args, dial = []string{"--http.tls-cert-file", filepath.Join(dir, "cert.pem"), "--http.tls-key-file", filepath.Join(dir, "key.pem")}, tlsDialer
			}
			n := startOpenNode(t, memoryGroup(t, limit), args...)
			if !strings.Contains(n.out.String(), "memory.limit is not set") {
				t.Errorf("the log does not say which limit it took:\n%s", n.out)
			}
			before := memoryOfProcess(t, n.process)
			f := &flood{}
			defer f.close()
			stream := append([]byte{244, 7}, "rescind"...)   // the cluster's label
			stream = append(stream, 10, 1, 0x40-1, 0, 0)     // encrypted, 20 MiB long
			stream = append(stream, make([]byte, 19<<20)...) // all but the end
			f.hold(t, 64, dialer(n.gossip), stream)
			f.hold(t, 3000, dial(n.http), halfSent())
			t.Logf("memory %d MiB, %d before", memoryOfProcess(t, n.process)>>20, before>>20)
			n.stands(t, scheme, "b")
			if used := memoryOfProcess(t, n.process); used > limit*9/10 {
				t.Errorf("strangers take %d MiB of %d", used>>20, limit>>20)
			}
		})
	}
}

// insecureRequest is request for a node whose certificate is its own.
func insecureRequest(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}
