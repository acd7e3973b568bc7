package main

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// curve is what one round of one subject measured, in microseconds. What never
// arrived counts with the time that it was given, and is never left out.
type curve struct {
	each *hdrhistogram.Histogram // from the start to one destination
	last *hdrhistogram.Histogram // from the start to the slowest destination: the security answer
	lost int                     // never arrived at a destination
}

// at returns a percentile in milliseconds.
func (c curve) at(to string, percent float64) float64 {
	h := c.last
	if to == "each" {
		h = c.each
	}
	return float64(h.ValueAtPercentile(percent)) / 1000
}

func (c curve) samples(to string) int {
	if to == "each" {
		return int(c.each.TotalCount())
	}
	return int(c.last.TotalCount())
}

// recorder collects arrivals into a curve. It is safe for concurrent use.
type recorder struct {
	giveUp time.Duration

	mu      sync.Mutex // guards the fields below
	samples []arrivals
	left    int           // arrivals that are still missing
	done    chan struct{} // closed when none is
	each    *hdrhistogram.Histogram
}

// arrivals is one message on its way to several destinations.
type arrivals struct {
	missing int
	worst   time.Duration
}

// newRecorder expects each of n samples at destinations.
func newRecorder(n, destinations int, giveUp time.Duration) *recorder {
	r := &recorder{giveUp: giveUp, samples: make([]arrivals, n), left: n * destinations, done: make(chan struct{}), each: newHistogram(giveUp)}
	for i := range r.samples {
		r.samples[i].missing = destinations
	}
	return r
}

func newHistogram(giveUp time.Duration) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, giveUp.Microseconds()+1, 3)
}

// arrived records that sample i took so long to one of its destinations. What
// took longer than giveUp counts as lost.
func (r *recorder) arrived(i int, took time.Duration) {
	if took > r.giveUp {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.samples[i]
	_ = r.each.RecordValue(took.Microseconds()) // it fits
	s.worst = max(s.worst, took)
	s.missing--
	if r.left--; r.left == 0 {
		close(r.done)
	}
}

// await waits until everything has arrived, at most for giveUp from now.
func (r *recorder) await() {
	timeout := time.NewTimer(r.giveUp)
	defer timeout.Stop()
	select {
	case <-r.done:
	case <-timeout.C:
	}
}

// curve returns what was measured of the first n samples.
func (r *recorder) curve(n int) curve {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := curve{each: r.each, last: newHistogram(r.giveUp)}
	for _, s := range r.samples[:n] {
		if s.missing > 0 {
			c.lost += s.missing
			s.worst = r.giveUp
			_ = c.each.RecordValues(r.giveUp.Microseconds(), int64(s.missing))
		}
		_ = c.last.RecordValue(s.worst.Microseconds())
	}
	return c
}
