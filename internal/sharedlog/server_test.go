package sharedlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"rescind/internal/store/storetest"
)

// The environment of a process of this test that is a NATS server and nothing
// else, so that it can be killed.
const (
	serverDir    = "RESCIND_TEST_NATS_DIR"
	serverListen = "RESCIND_TEST_NATS_LISTEN"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverDir) != "" {
		serve()
		return
	}
	goleak.VerifyTestMain(m)
}

// serve runs a server that syncs, until it is killed or its parent is gone.
func serve() {
	s, err := server.NewServer(&server.Options{
		ServerName: syncing, Host: "127.0.0.1", Port: portOf(os.Getenv(serverListen)), DontListen: false,
		JetStream: true, StoreDir: os.Getenv(serverDir), SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		fmt.Println("not ready")
		os.Exit(1)
	}
	fmt.Println(s.Addr().String())
	io.Copy(io.Discard, os.Stdin) // ends with the parent
	os.Exit(0)
}

// syncing is the name of servers that are known to sync.
const syncing = "test-syncing"

func portOf(listen string) int {
	if listen == "" {
		return server.RANDOM_PORT
	}
	var port int
	fmt.Sscanf(listen[strings.LastIndex(listen, ":")+1:], "%d", &port)
	return port
}

// process is a server in a process of its own, at one address for all its lives.
type process struct {
	dir, listen string
	cmd         *exec.Cmd
	stdin       io.Closer
}

func newProcess(t storetest.T, dir string) *process {
	t.Helper()
	p := &process{dir: dir}
	p.start(t)
	t.Cleanup(p.kill)
	return p
}

func (p *process) start(t storetest.T) {
	t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), serverDir+"="+p.dir, serverListen+"="+p.listen)
	stdin, err1 := p.cmd.StdinPipe()
	stdout, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, p.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if _, _, bad := net.SplitHostPort(strings.TrimSpace(line)); err != nil || bad != nil {
		t.Fatalf("the server says %q, %v", line, err)
	}
	p.listen = strings.TrimSpace(line)
}

// kill is kill -9.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.stdin.Close()
	p.cmd = nil
}

func (p *process) url() string { return "nats://" + p.listen }

// plain is a Sealer that marks what it has sealed and does not hide it.
type plain struct{}

func (plain) Seal(b []byte) []byte { return append([]byte("sealed"), b...) }

func (plain) Open(b []byte) ([]byte, error) {
	rest, ok := strings.CutPrefix(string(b), "sealed")
	if !ok {
		return nil, errors.New("not sealed")
	}
	return []byte(rest), nil
}

var (
	quiet = slog.New(slog.DiscardHandler)
	began = time.Now()
)

func config(url string) Config {
	return Config{
		MaxBytes: 8 << 20, // servers set it aside
		Cluster:  "test", URL: url, SyncingServer: syncing, Sealer: plain{}, Logger: quiet,
		Steady: func() time.Duration { return time.Since(began) }, MarkEvery: 50 * time.Millisecond, countEvery: 300 * time.Millisecond, anyClock: true,
	}
}

func openLog(t storetest.T, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func storeDir(t testing.TB) string { return filepath.Join(t.TempDir(), "nats") }

// await polls until ok, or fails the test.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-poll.C
	}
}
