package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// front is a server as a process of its own.
type front struct {
	name, key, addr string
	processes       []*exec.Cmd
}

func (f *front) stop() {
	for _, p := range f.processes {
		p.Process.Signal(os.Interrupt)
		p.Wait()
	}
}

// startFronts starts the three, whose files are in dir. Those that were started
// are returned with an error, too.
func startFronts(ctx context.Context, dir string) (fronts []*front, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ours := &front{name: frontOurs, key: "ours"}
	nginx := &front{name: frontNginx, key: "nginx"}
	rival := &front{name: frontRival, key: "rival"}
	fronts = []*front{ours, nginx, rival}
	redis := ""
	for _, addr := range []*string{&ours.addr, &nginx.addr, &rival.addr, &redis} {
		if *addr, err = freeAddr(); err != nil {
			return fronts, err
		}
	}
	_, redisPort, _ := net.SplitHostPort(redis)
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("daemon off; pid %s/pid; error_log stderr; worker_processes auto;\nevents { worker_connections 1024; }\nhttp { access_log off; keepalive_requests 1000000000; server { listen %s reuseport; location / { return 200; } } }\n", dir, nginx.addr)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return fronts, err
	}
	return fronts, errors.Join(
		ours.start(ctx, self, "front-ours", ours.addr, filepath.Join(dir, "data")),
		nginx.start(ctx, "nginx", "-p", dir, "-c", config),
		rival.start(ctx, "redis-server", "--bind", "127.0.0.1", "--port", redisPort, "--save", "", "--appendonly", "no", "--dir", dir),
		awaitAddr("redis-server", redis),
		rival.start(ctx, self, "front-rival", rival.addr, redis),
		awaitAddr(ours.name, ours.addr), awaitAddr(nginx.name, nginx.addr), awaitAddr(rival.name, rival.addr),
	)
}

func (f *front) start(ctx context.Context, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%s is needed for the comparison: %w", name, err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	f.processes = append(f.processes, cmd)
	return nil
}

func awaitAddr(name, addr string) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-poll.C {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not listen: %w", name, err)
		}
	}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
