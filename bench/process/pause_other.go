//go:build !unix

package process

import (
	"errors"
	"os/exec"
)

var errNoPause = errors.New("this system can't pause a process")

// Pause is not possible here.
func (p *Process) Pause() error { return errNoPause }

// Continue is not possible here.
func (p *Process) Continue() error { return errNoPause }

// RunAs does nothing: here nobody is root.
func RunAs(*exec.Cmd, uint32, uint32) {}
