package process

import (
	"context"
	"syscall"
	"testing"
	"time"
)

// What a child of the process computes counts as well.
func TestCPU(t *testing.T) {
	p := start(t, "(while :; do :; done) & echo up; wait")
	t.Cleanup(func() {
		ids, _ := children(p.ID())
		for _, id := range ids {
			_ = syscall.Kill(id, syscall.SIGKILL)
		}
	})
	err := p.Await(t.Context(), time.Minute, func(context.Context) bool {
		own, err1 := running(p.ID())
		used, err2 := CPU(p.ID())
		return err1 == nil && err2 == nil && used > own+30*time.Millisecond
	})
	if err != nil {
		t.Error(err)
	}
}
