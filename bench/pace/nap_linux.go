package pace

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// napper sleeps for microseconds. time.Sleep would not do: in an idle process
// it is rounded up to a millisecond, which is the length of what is measured
// here. A kernel timer wakes the goroutine the way a network packet does, and
// keeps no processor meanwhile. It is for one goroutine.
type napper struct{ timer *os.File }

func newNapper() (*napper, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &napper{os.NewFile(uintptr(fd), "timer")}, nil
}

func (n *napper) nap(d time.Duration) {
	if d <= 0 {
		return
	}
	conn, err := n.timer.SyscallConn()
	if err != nil {
		return // closed
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}
	err = conn.Control(func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &spec, nil) }) // the arguments are good
	var expirations [8]byte
	if err == nil {
		_, _ = n.timer.Read(expirations[:]) // an early end does no harm: it is called in a loop
	}
}

func (n *napper) close() { n.timer.Close() }
