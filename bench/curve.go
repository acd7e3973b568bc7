package main

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// curve is what one round of one subject measured, in microseconds. What never
// arrived counts with the time that it was given, and is never left out.
type curve struct {
	giveUp time.Duration
	each   *hdrhistogram.Histogram // from the start to one destination
	last   *hdrhistogram.Histogram // from the start to the slowest destination: the security answer
	lost   int                     // never arrived at a destination
	late   int                     // of the messages, those that some destination never got
	trips  []trip

	// firstBy is how many arrivals the carriers brought first: memberlist, NATS.
	// It is for subjects with both.
	firstBy [2]float64
}

// trip is one message and when it arrived where.
type trip struct {
	to      []int     // destinations, in the order of arrival
	ms      []float64 // as long as to
	missing int
}

// at returns a percentile in milliseconds.
func (c curve) at(to string, percent float64) float64 {
	return float64(c.histogram(to).ValueAtPercentile(percent)) / 1000
}

func (c curve) samples(to string) int { return int(c.histogram(to).TotalCount()) }

func (c curve) histogram(to string) *hdrhistogram.Histogram {
	if to == "each" {
		return c.each
	}
	return c.last
}

// recorder collects arrivals into a curve. It is safe for concurrent use.
type recorder struct {
	giveUp time.Duration

	mu    sync.Mutex // guards the fields below
	trips []trip
	left  int           // arrivals that are still missing
	done  chan struct{} // closed when none is
}

// newRecorder expects each of n samples at destinations.
func newRecorder(n, destinations int, giveUp time.Duration) *recorder {
	r := &recorder{giveUp: giveUp, trips: make([]trip, n), left: n * destinations, done: make(chan struct{})}
	for i := range r.trips {
		r.trips[i].missing = destinations
	}
	return r
}

func newHistogram(giveUp time.Duration) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, giveUp.Microseconds()+1, 3)
}

// arrived records that sample i took so long to one of its destinations. What
// took longer than giveUp counts as lost.
func (r *recorder) arrived(i, to int, took time.Duration) {
	if took > r.giveUp {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.trips[i]
	t.to, t.ms = append(t.to, to), append(t.ms, millis(took))
	t.missing--
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
	c := curve{giveUp: r.giveUp, each: newHistogram(r.giveUp), last: newHistogram(r.giveUp), trips: r.trips[:n:n]}
	for _, t := range c.trips {
		worst := 0.0
		for _, took := range t.ms {
			worst = max(worst, took)
			record(c.each, took)
		}
		if t.missing > 0 {
			c.lost += t.missing
			c.late++
			worst = millis(r.giveUp)
			_ = c.each.RecordValues(r.giveUp.Microseconds(), int64(t.missing)) // it fits
		}
		record(c.last, worst)
	}
	return c
}

// record enters a time in milliseconds, which fits.
func record(h *hdrhistogram.Histogram, took float64) { _ = h.RecordValue(int64(took * 1000)) }
