package compare

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"rescind/bench/process"
)

// service is a server that some contestants depend on, and that can fail.
type service struct {
	name          string
	addr          string
	signal, crash syscall.Signal // to end it in order, and to end it as a power failure would
	command       func() *exec.Cmd
	there         func(context.Context) bool

	mu      *sync.Mutex // guards process
	process *process.Process
}

// startService starts s and returns when it answers.
func startService(ctx context.Context, s service) (*service, error) {
	s.mu = new(sync.Mutex)
	if err := s.start(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return &s, nil
}

func (s *service) start(ctx context.Context) error {
	p, err := process.Start(s.name, s.command())
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	return p.Await(ctx, 20*time.Second, s.there)
}

func (s *service) current() *process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// id returns the process id.
func (s *service) id() int { return s.current().ID() }

// kill ends it without notice.
func (s *service) kill() error {
	p := s.current()
	if err := p.Signal(s.crash); err != nil {
		return err
	}
	select {
	case <-p.Done():
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("%s does not end", s.name)
	}
}

// restart starts what was killed. A server that needs a moment to take over
// what its predecessor left is started again.
func (s *service) restart(ctx context.Context) (err error) {
	for range 5 {
		if err = s.start(ctx); err == nil {
			return nil
		}
		s.current().Kill()
	}
	return err
}

func (s *service) stop() {
	if p := s.current(); p != nil {
		p.Stop(s.signal, 5*time.Second)
	}
}
