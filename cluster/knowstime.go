package cluster

import (
	"time"

	"rescind"
)

// KnowsTime reports whether what this machine's wall clock shows may be taken for
// the time: the node is ready, most members being heard do not contradict the clock, and
// it has not jumped since they were last asked. It does no I/O and waits for
// nothing. A refusal that rests on the time, such as that a token has expired, is
// worth nothing otherwise; see token.ClockChecker.
func (n *Node) KnowsTime() bool {
	v := n.view.Load()
	if v == nil || !n.ready.Load() || n.clockOff.Load() {
		return false
	}
	return (n.wallAhead() - v.wallAhead).Abs() <= rescind.MaxClockSkew
}

// wallAhead returns by how much the wall clock is ahead of the steady one.
func (n *Node) wallAhead() time.Duration {
	return time.Duration(n.cfg.now().UnixMilli())*time.Millisecond - steady()
}
