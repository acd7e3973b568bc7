// Package stats is the arithmetic that measurements share.
package stats

import (
	"runtime"
	"slices"
	"time"

	"rescind/bench/report"
)

// Median returns the median.
func Median(values []float64) float64 { return report.Median(values) }

// Quartiles returns the values below which a quarter and three quarters lie.
func Quartiles(values []float64) (low, high float64) {
	return Quantile(values, 0.25), Quantile(values, 0.75)
}

// Quantile returns the q-quantile of at least one value, by nearest rank.
func Quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// Ratios divides what was measured in the same round.
func Ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}

// Heap returns the bytes of live objects.
func Heap() int64 {
	runtime.GC()
	runtime.GC() // what the first has freed is swept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Millis returns d in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
