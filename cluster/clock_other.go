//go:build !linux

package cluster

import "time"

var processStart = time.Now()

// steady reads Go's monotonic clock, which on this system may stop while the
// machine is suspended. Rescind states its staleness bound for Linux only.
func steady() time.Duration { return time.Since(processStart) + time.Second }
