package sharedlog

import (
	"fmt"
	"sync/atomic"
	"testing"

	"rescind/internal/store/storetest"
)

// place is a stream of its own on a server that is killed.
type place struct {
	process *process
	stream  string
	last    *Log
}

func (p *place) Open(t storetest.T) storetest.Store {
	t.Helper()
	cfg := config(p.process.url())
	cfg.Stream, cfg.Cluster = p.stream, p.stream
	p.last = openLog(t, cfg)
	return p.last
}

// Crash kills the server amid whatever it does, ends the node, and starts the
// server again.
func (p *place) Crash(t storetest.T) {
	t.Helper()
	p.process.kill()
	p.last.Close()
	p.process.start(t)
}

func TestSuite(t *testing.T) {
	shared := newProcess(t, storeDir(t))
	var streams atomic.Int64
	storetest.Run(t, storetest.Backend{
		New: func(t storetest.T) storetest.Place {
			return &place{process: shared, stream: fmt.Sprint("s", streams.Add(1))}
		},
		BucketWidth: BucketWidth,
		Crashes:     5,
	})
}
