//go:build !linux

package pace

import "time"

// napper sleeps, on this system no more precisely than time.Sleep.
type napper struct{}

func newNapper() (*napper, error) { return &napper{}, nil }

func (*napper) nap(d time.Duration) { time.Sleep(d) }

func (*napper) close() {}
