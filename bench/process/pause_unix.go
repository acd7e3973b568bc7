//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// Pause stops it and its children from running, as a machine does that is
// suspended.
func (p *Process) Pause() error { return p.tell(syscall.SIGSTOP) }

// Continue ends a pause.
func (p *Process) Continue() error { return p.tell(syscall.SIGCONT) }

func (p *Process) tell(sig syscall.Signal) error {
	err := p.Signal(sig) // first, so that it starts no more children
	ids, _ := children(p.ID())
	for _, id := range ids {
		_ = syscall.Kill(id, sig) // it may have ended
	}
	return err
}

// RunAs makes cmd run as another user.
func RunAs(cmd *exec.Cmd, uid, gid uint32) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
}
