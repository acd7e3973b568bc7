package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	nodes      = 5
	natsHost   = nodes // the last host of the network
	small      = 2     // the node whose disk is small
	httpAddr   = "127.0.0.1:8080"
	adminToken = "an-admin-token-for-tests-only"
	issuer     = "https://faults.rescind.invalid"
)

// site is the cluster: processes, their folders and their network.
type site struct {
	t   *testing.T
	net *network
	dir string
	bin string

	mu    sync.Mutex // guards the fields below
	nodes [nodes]process
	nats  process
}

// process is one that runs, or ran.
type process struct {
	cmd   *exec.Cmd
	out   *bytes.Buffer
	ended chan struct{}
	lives int // how often it was started
}

func newSite(t *testing.T, dir, bin string) *site {
	s := &site{t: t, net: newNetwork(t, nodes+1), dir: dir, bin: bin}
	s.write("cluster.key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n")
	s.write("admin.token", adminToken+"\n")
	s.write("hs256.secret", tokenSecret)
	s.write("issuers.yaml", fmt.Sprintf("- issuer: %s\n  algorithms: [HS256]\n  hs256-secret-file: %s\n", issuer, filepath.Join(dir, "hs256.secret")))
	s.mountSmall()
	t.Cleanup(s.stop)
	s.startNATS()
	for i := range nodes {
		s.start(i)
	}
	return s
}

func (s *site) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) data(i int) string { return filepath.Join(s.dir, fmt.Sprint("data", i)) }

// mountSmall gives one node a disk of 96 MiB: room for a few tables, and no more
// than the client can fill. It is in memory, where a sync is nothing, but full is full.
func (s *site) mountSmall() {
	s.t.Helper()
	dir := s.data(small)
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=96m,mode=700", "rescind-faults", dir).CombinedOutput(); err != nil {
		s.t.Fatalf("mount a small disk: %v\n%s", err, out)
	}
	s.t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			s.t.Errorf("unmount the small disk: %v\n%s", err, out)
		}
	})
}

// fillDisk fills what is left of the small disk with a file, which free removes.
func (s *site) fillDisk() (free func()) {
	s.t.Helper()
	name := filepath.Join(s.data(small), "filler")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			s.t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *site) start(i int) {
	var seeds string
	for k := range nodes {
		seeds += fmt.Sprintf("%s:7946,", s.net.Address(k))
	}
	s.launch(&s.nodes[i], s.net.Command(i, filepath.Join(s.bin, "rescind"), "serve",
		"--node.name", fmt.Sprint("n", i), "--http.addr", httpAddr, "--data.dir", s.data(i),
		"--cluster.key-file", filepath.Join(s.dir, "cluster.key"), "--admin.token-file", filepath.Join(s.dir, "admin.token"),
		"--tokens.issuers", filepath.Join(s.dir, "issuers.yaml"), "--shutdown.delay", "0s", "--log.level", "warn",
		"--gossip.bind", s.net.Address(i)+":7946", "--gossip.join", seeds[:len(seeds)-1],
		"--nats.url", "nats://"+s.net.Address(natsHost)+":4222"))
}

func (s *site) startNATS() {
	s.launch(&s.nats, s.net.Command(natsHost, filepath.Join(s.bin, "nats-server"), "-a", s.net.Address(natsHost), "-p", "4222"))
}

// launch starts a process in place of one that has ended.
func (s *site) launch(p *process, cmd *exec.Cmd) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	*p = process{cmd, out, ended, p.lives + 1}
}

// life returns how often node i was started.
func (s *site) life(i int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[i].lives
}

// kill ends a process as power loss would, but for the page cache.
func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
}

func (p *process) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Errorf("signal %v: %v", sig, err)
	}
}

func (s *site) stop() {
	for i := range s.nodes {
		s.nodes[i].kill()
		if s.t.Failed() && s.nodes[i].out != nil {
			s.t.Logf("n%d, life %d:\n%s", i, s.nodes[i].lives, tail(s.nodes[i].out.Bytes()))
		}
	}
	s.nats.kill()
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

// healed waits until every node is ready, knows all others and is hardly behind.
func (s *site) healed(c *client) {
	s.t.Helper()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	timeout := time.After(60 * time.Second)
	for i := range nodes {
		for last := ""; ; {
			var ok bool
			if ok, last = healthy(c, i); ok {
				break
			}
			select {
			case <-poll.C:
			case <-timeout:
				s.t.Fatalf("node %d has not recovered within a minute: %s", i, last)
			}
		}
	}
}

func healthy(c *client, i int) (bool, string) {
	status, body := c.do(i, http.MethodGet, "/v1/cluster", adminToken, nil)
	var view struct {
		Ready       bool     `json:"ready"`
		StalenessMS *float64 `json:"staleness_ms"`
		Members     []struct {
			State  string `json:"state"`
			Behind uint64 `json:"behind"`
		} `json:"members"`
	}
	if status != http.StatusOK || json.Unmarshal(body, &view) != nil {
		return false, fmt.Sprintf("%d %s", status, body)
	}
	alive := 0
	for _, m := range view.Members {
		if m.State == "alive" && m.Behind < 10 { // a few are on their way
			alive++
		}
	}
	return view.Ready && view.StalenessMS != nil && *view.StalenessMS < 1000 && alive == nodes-1, string(body)
}
