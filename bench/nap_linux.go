package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// sharpen makes the naps of the calling thread end when they should. By default
// the kernel is free to add 50 microseconds.
func sharpen() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) } // without it naps are only longer

// nap blocks the calling thread. time.Sleep would not do: in an idle process it
// is rounded up to a millisecond, which is the length of what is measured here.
func nap(d time.Duration) {
	if d <= 0 {
		return
	}
	t := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&t, nil) // a signal ends it early, and it is called in a loop
}
