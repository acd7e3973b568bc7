package main

import (
	"runtime"
	"slices"
	"time"

	"rescind/bench/report"
)

// mid returns the median.
func mid(values []float64) float64 { return report.Median(values) }

// quartiles returns the values below which a quarter and three quarters lie.
func quartiles(values []float64) (low, high float64) {
	return quantile(values, 0.25), quantile(values, 0.75)
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// ratios divides what was measured in the same round.
func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first has freed is swept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// millis returns d in milliseconds.
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
