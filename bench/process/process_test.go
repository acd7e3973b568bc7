package process

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func start(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start("sh", exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// One that ends early is an error that shows what it said.
func TestAwaitTellsWhyItEnded(t *testing.T) {
	p := start(t, "echo no such setting >&2; exit 3")
	err := p.Await(t.Context(), time.Minute, func(context.Context) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "no such setting") {
		t.Errorf("the error is %v", err)
	}
}

// A paused process, and one deaf to the signal, end all the same.
func TestStop(t *testing.T) {
	p := start(t, "trap '' INT; echo up; while :; do sleep 0.05; done")
	if err := p.Await(t.Context(), time.Minute, func(context.Context) bool { return p.Output() != "" }); err != nil {
		t.Fatal(err)
	}
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	p.Stop(syscall.SIGINT, 50*time.Millisecond)
	select {
	case <-p.Done():
	default:
		t.Error("it has not ended")
	}
}

func TestFindMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Find(t.Context(), "no-such-server", "no-such-package")
	if missing := (*Missing)(nil); !errors.As(err, &missing) || !strings.Contains(err.Error(), "no-such-package") {
		t.Errorf("the error is %v", err)
	}
}

func TestGroupStopsInReverse(t *testing.T) {
	var g Group
	var order []int
	for i := range 3 {
		g.Defer(func() { order = append(order, i) })
	}
	g.Stop()
	g.Stop()
	if len(order) != 3 || order[0] != 2 {
		t.Errorf("stopped in order %v", order)
	}
}
