package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Distribution is many samples of one thing, as values and how often each was
// seen. Make it with [FromHistogram] or [FromValues].
type Distribution struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"` // ascending, each once
	Counts []int64   `json:"counts"` // as long as Values, above 0

	// Lost of the samples never arrived. They are among the Counts, with the
	// value Limit, the time that they were given.
	Lost  int64   `json:"lost,omitempty"`
	Limit float64 `json:"limit,omitempty"`
}

// FromHistogram returns what h holds, divided by unit: 1000 makes ms of
// microseconds. Of the samples of h, lost never arrived and were recorded at
// limit, which is in h's unit.
func FromHistogram(name string, h *hdrhistogram.Histogram, unit float64, lost, limit int64) Distribution {
	d := Distribution{Name: name, Lost: lost, Limit: float64(limit) / unit}
	for _, bar := range h.Distribution() {
		if bar.Count > 0 {
			d.Values, d.Counts = append(d.Values, float64(bar.To)/unit), append(d.Counts, bar.Count)
		}
	}
	if lost > 0 && len(d.Values) > 0 {
		d.Values[len(d.Values)-1] = d.Limit // the histogram rounds
	}
	return d
}

// FromValues returns the distribution of values. Of them, lost never arrived
// and are there with the value limit.
func FromValues(name string, values []float64, lost int64, limit float64) Distribution {
	d := Distribution{Name: name, Lost: lost, Limit: limit}
	for _, v := range slices.Sorted(slices.Values(values)) {
		if n := len(d.Values); n > 0 && d.Values[n-1] == v {
			d.Counts[n-1]++
			continue
		}
		d.Values, d.Counts = append(d.Values, v), append(d.Counts, 1)
	}
	return d
}

// Merge adds the samples of another. The limits must be the same.
func (d Distribution) Merge(other Distribution) Distribution {
	seen := map[float64]int64{}
	for _, x := range []Distribution{d, other} {
		for i, v := range x.Values {
			seen[v] += x.Counts[i]
		}
	}
	out := Distribution{Name: d.Name, Lost: d.Lost + other.Lost, Limit: max(d.Limit, other.Limit)}
	for v := range seen {
		out.Values = append(out.Values, v)
	}
	slices.SortFunc(out.Values, cmp.Compare)
	for _, v := range out.Values {
		out.Counts = append(out.Counts, seen[v])
	}
	return out
}

// Total returns the number of samples.
func (d Distribution) Total() (n int64) {
	for _, c := range d.Counts {
		n += c
	}
	return n
}

// At returns the value that a share of the samples, 0 to 1, does not exceed,
// and whether it is only a bound, because the sample there never arrived. It
// is 0 if there are no samples.
func (d Distribution) At(share float64) (value float64, lost bool) {
	total := d.Total()
	if total == 0 {
		return 0, false
	}
	rank := max(1, int64(math.Ceil(share*float64(total)-1e-9)))
	seen := int64(0)
	for i, c := range d.Counts {
		if seen += c; seen >= rank {
			return d.Values[i], rank > total-d.Lost
		}
	}
	return d.Values[len(d.Values)-1], d.Lost > 0
}

// Max returns the largest value, 0 if there is none.
func (d Distribution) Max() float64 {
	if len(d.Values) == 0 {
		return 0
	}
	return d.Values[len(d.Values)-1]
}

// Median returns the middle of the values, the mean of two if their number is
// even; NaN if there are none. The order of the values does not matter.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
