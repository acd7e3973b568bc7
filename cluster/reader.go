package cluster

import (
	"context"
	"time"

	"rescind"
	"rescind/gossip"
)

// maxReads is how many orders wait for the reader. Those that find no room are
// dropped: whoever asked asks again.
const maxReads = 32

// comparePause is how long the reader rests after a step of a comparison, in
// times of what the step took: members that compare all day can't take more
// than a fifth of one processor.
const comparePause = 4

// read is an order of the core to read the set. take does it, and deliver then
// tells the core, in the loop.
type read struct {
	take    func()
	deliver func()
}

// readers read the set for other members, so that the loop goes on meanwhile.
type readers struct {
	scans, compares chan *read
	done            chan *read
}

func newReaders() readers {
	return readers{scans: make(chan *read, maxReads), compares: make(chan *read, maxReads), done: make(chan *read)}
}

// orderReads hands what the core orders to the readers.
func (l *loop) orderReads(r gossip.Ready) {
	order := func(to chan *read, o *read) {
		select {
		case to <- o:
		default:
			l.counters.readsDropped.Add(1)
		}
	}
	for _, s := range r.Scans {
		var (
			records []rescind.Record
			next    rescind.Digest
			done    bool
		)
		order(l.readers.scans, &read{
			take:    func() { records, next, done = l.set.Scan(s.Cursor, min(scanPart, s.Most)) },
			deliver: func() { l.core.Scanned(s, records, next, done) },
		})
	}
	for _, c := range r.Compares {
		var found gossip.Outcome
		order(l.readers.compares, &read{
			take: func() {
				// By the wall clock, which nobody's lapsing is ahead of.
				found = c.Against(l.set, rescind.FirstUnswept(rescind.MillisOf(l.cfg.now()), gossip.CompareSpan))
			},
			deliver: func() { l.core.Compared(steady(), c, found) },
		})
	}
}

// read takes orders one at a time and rests after each for so many times as long
// as it took.
func (r readers) read(ctx context.Context, orders chan *read, rest time.Duration) {
	for {
		var o *read
		select {
		case <-ctx.Done():
			return
		case o = <-orders:
		}
		start := time.Now()
		o.take()
		pause := time.NewTimer(rest * time.Since(start))
		select {
		case <-ctx.Done():
			return
		case r.done <- o:
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}
