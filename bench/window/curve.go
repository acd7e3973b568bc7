package window

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"rescind/bench/stats"
)

// Curve is what one round of one subject measured, in microseconds. What never
// arrived counts with the time that it was given, and is never left out.
type Curve struct {
	GiveUp time.Duration
	each   *hdrhistogram.Histogram // from the start to one destination
	last   *hdrhistogram.Histogram // from the start to the slowest destination: the security answer
	Lost   int                     // never arrived at a destination
	Late   int                     // of the messages, those that some destination never got
	Trips  []Trip

	// Behind is by how many ms each call was made after it was due: what the bench
	// itself was late, which the times do not hold.
	Behind []float64

	// FirstBy is how many arrivals the carriers brought first: memberlist, NATS.
	// It is for subjects with both.
	FirstBy [2]float64
}

// Trip is one message and when it arrived where.
type Trip struct {
	To      []int     // destinations, in the order of arrival
	MS      []float64 // as long as To
	missing int
}

// At returns a percentile in milliseconds, of the times to "each" destination or
// to the "last".
func (c Curve) At(to string, percent float64) float64 {
	return float64(c.Histogram(to).ValueAtPercentile(percent)) / 1000
}

// Samples returns how many times to each or to the last there are.
func (c Curve) Samples(to string) int { return int(c.Histogram(to).TotalCount()) }

// Histogram returns the times to each or to the last, in microseconds.
func (c Curve) Histogram(to string) *hdrhistogram.Histogram {
	if to == "each" {
		return c.each
	}
	return c.last
}

// Recorder collects arrivals into a curve. It is safe for concurrent use.
type Recorder struct {
	giveUp time.Duration

	mu    sync.Mutex // guards the fields below
	trips []Trip
	left  int           // arrivals that are still missing
	done  chan struct{} // closed when none is
}

// NewRecorder expects each of n samples at destinations.
func NewRecorder(n, destinations int, giveUp time.Duration) *Recorder {
	r := &Recorder{giveUp: giveUp, trips: make([]Trip, n), left: n * destinations, done: make(chan struct{})}
	for i := range r.trips {
		r.trips[i].missing = destinations
	}
	return r
}

// NewHistogram is for times up to giveUp, in microseconds, to three digits.
func NewHistogram(giveUp time.Duration) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, giveUp.Microseconds()+1, 3)
}

// Arrived records that sample i took so long to one of its destinations. What
// took longer than giveUp counts as lost.
func (r *Recorder) Arrived(i, to int, took time.Duration) {
	if took > r.giveUp {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.trips[i]
	t.To, t.MS = append(t.To, to), append(t.MS, stats.Millis(took))
	t.missing--
	if r.left--; r.left == 0 {
		close(r.done)
	}
}

// Await waits until everything has arrived, at most for giveUp from now.
func (r *Recorder) Await() {
	timeout := time.NewTimer(r.giveUp)
	defer timeout.Stop()
	select {
	case <-r.done:
	case <-timeout.C:
	}
}

// Curve returns what was measured of the first n samples.
func (r *Recorder) Curve(n int) Curve {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := Curve{GiveUp: r.giveUp, each: NewHistogram(r.giveUp), last: NewHistogram(r.giveUp), Trips: r.trips[:n:n]}
	for _, t := range c.Trips {
		worst := 0.0
		for _, took := range t.MS {
			worst = max(worst, took)
			Record(c.each, took)
		}
		if t.missing > 0 {
			c.Lost += t.missing
			c.Late++
			worst = stats.Millis(r.giveUp)
			_ = c.each.RecordValues(r.giveUp.Microseconds(), int64(t.missing)) // it fits
		}
		Record(c.last, worst)
	}
	return c
}

// Record enters a time in milliseconds, which fits, into one of NewHistogram.
func Record(h *hdrhistogram.Histogram, took float64) { _ = h.RecordValue(int64(took * 1000)) }
