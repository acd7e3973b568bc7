//go:build unix

package token

import (
	"fmt"
	"os"
	"syscall"
)

// lockKeyFile keeps other processes of this host from changing the key file at
// path until unlock: of two that rotate at once, one would undo the other's key.
func lockKeyFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}
