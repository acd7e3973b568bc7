package propagation

import (
	"testing"
	"time"

	"rescind/bench/report"
	"rescind/bench/window"
)

// curveOf is a round in which n revocations took 1 ms and one of them took worst.
func curveOf(n int, worst time.Duration) window.Curve {
	rec := window.NewRecorder(n, 1, 10*time.Second)
	for i := range n - 1 {
		rec.Arrived(i, 0, time.Millisecond)
	}
	rec.Arrived(n-1, 0, worst)
	return rec.Curve(n)
}

// TestPercentilesNeedSamples: what would be the maximum by another name is no
// figure, and what only all rounds together can tell is no figure of rounds.
func TestPercentilesNeedSamples(t *testing.T) {
	r := report.New("propagation")
	curves := []window.Curve{curveOf(600, 20*time.Millisecond), curveOf(600, 30*time.Millisecond)}
	for _, q := range percentiles {
		enter(r, q.name, curves, "last", q.at)
	}
	for name, rounds := range map[string]int{"p50": 2, "p99": 2, "p999": 0, "max": 0} {
		if _, there := r.Figures[name]; !there || len(r.Samples[name]) != rounds {
			t.Errorf("%s: there %v, with %d rounds; want %d", name, there, len(r.Samples[name]), rounds)
		}
	}
	if v, there := r.Figures["p9999"]; there {
		t.Errorf("of 1,200 samples p99.99 is said to be %v", v)
	}
	if v := r.Figures["max"]; v < 29 || v > 31 {
		t.Errorf("the maximum of all is %v", v)
	}
}

// TestABenchThatIsLateSaysSo: the times begin with the call, so a call that comes
// late must be told.
func TestABenchThatIsLateSaysSo(t *testing.T) {
	r := report.New("propagation")
	enterBehind(r, []float64{0, 0.1, 0.2})
	if len(r.Noise) != 0 || r.Figures["window.called_late_p99_ms"] != 0.2 {
		t.Errorf("on time: %v, %v", r.Noise, r.Figures)
	}
	if enterBehind(r, []float64{0, 50, 60}); len(r.Noise) != 1 {
		t.Errorf("late: %v", r.Noise)
	}
}
