// Package process starts the servers that a measurement needs, and ends them: by
// their process ids, whatever happens, and never by name.
package process

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a program that runs, or ran. Safe for concurrent use.
type Process struct {
	name string
	cmd  *exec.Cmd
	out  *tail
	done chan struct{} // closed when it has ended
}

// Start starts cmd. What it prints is kept, for errors, to its last 4 KB.
func Start(name string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{name: name, cmd: cmd, out: new(tail), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // ends with the process
		_ = cmd.Wait() // how it ended does not matter
		close(p.done)
	}()
	return p, nil
}

// ID returns the process id.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Output returns the end of what it printed.
func (p *Process) Output() string { return p.out.String() }

// Kill ends it without notice, as a crash would, and waits.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// Signal sends sig.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %v to %s: %w", sig, p.name, err)
	}
	return nil
}

// Stop asks it to end with sig, and ends it after grace.
func (p *Process) Stop(sig syscall.Signal, grace time.Duration) {
	_ = p.Continue() // it may be paused
	_ = p.cmd.Process.Signal(sig)
	timeout := time.NewTimer(grace)
	defer timeout.Stop()
	select {
	case <-p.done:
	case <-timeout.C:
		p.Kill()
	}
}

// Await polls until ok, for at most a time. It fails at once when the process
// ends; the error holds what it printed.
func (p *Process) Await(ctx context.Context, atMost time.Duration, ok func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !ok(ctx) {
		select {
		case <-poll.C:
		case <-p.done:
			return fmt.Errorf("%s has ended: %s", p.name, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("%s is not there: %w: %s", p.name, ctx.Err(), p.Output())
		}
	}
	return nil
}

// Missing is an error that says what this machine lacks.
type Missing struct{ What string }

func (m *Missing) Error() string { return m.What }

// Find returns the path of a program, from PATH or a folder that matches one of
// the patterns. Where it
// is missing, and this process is root on a machine with apt-get, it installs
// the Debian package. The error is *Missing.
func Find(ctx context.Context, program, pkg string, patterns ...string) (string, error) {
	if path := look(program, patterns); path != "" {
		return path, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return "", &Missing{fmt.Sprintf("%s is not installed (Debian: apt-get install %s)", program, pkg)}
	}
	cmd := exec.CommandContext(ctx, apt, "install", "-y", "--no-install-recommends", pkg)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1") // starts no service
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &Missing{fmt.Sprintf("%s is not installed, and apt-get install %s failed: %s", program, pkg, lastLine(out))}
	}
	if path := look(program, patterns); path != "" {
		return path, nil
	}
	return "", &Missing{fmt.Sprintf("%s has no %s", pkg, program)}
}

func look(program string, patterns []string) string {
	for _, p := range patterns {
		found, _ := filepath.Glob(filepath.Join(p, program)) // the patterns are ours
		if len(found) > 0 {
			return found[len(found)-1] // the newest version
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return ""
	}
	return path
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// FreeAddr returns a loopback address at which nobody listens right now.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Group is processes that end together. The zero value is empty. Safe for
// concurrent use.
type Group struct {
	mu  sync.Mutex // guards all
	all []func()
}

// Defer has stop called by Stop.
func (g *Group) Defer(stop func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, stop)
}

// Stop calls what was deferred, the last first, each once.
func (g *Group) Stop() {
	g.mu.Lock()
	all := g.all
	g.all = nil
	g.mu.Unlock()
	for i := len(all) - 1; i >= 0; i-- {
		all[i]()
	}
}

// tail keeps the end of what is written.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	t.buf = bytes.Clone(t.buf[max(0, len(t.buf)-tailBytes):])
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
