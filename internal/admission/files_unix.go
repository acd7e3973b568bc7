//go:build unix

package admission

import (
	"math"
	"syscall"
)

// Files returns how many descriptors this process may have open, or 0 where that is
// not known. Go raises the limit to what is allowed when a process starts.
func Files() int64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int64(min(uint64(limit.Cur), math.MaxInt32))
}
