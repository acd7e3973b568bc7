package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// steady reads a clock that does not step and, unlike Go's monotonic clock,
// goes on while the machine is suspended: a node that slept an hour is an hour
// behind.
func steady() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("cluster: this kernel has no CLOCK_BOOTTIME: " + err.Error()) // since Linux 2.6.39
	}
	return time.Duration(t.Nano())
}
