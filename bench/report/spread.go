package report

import "slices"

// SpreadCurve is how fast others hear of a revocation. At Times[i] since it
// was asked for, Median[i] of the nodes know, 0 to 1; in the slowest twentieth
// of the revocations only Low[i], in the fastest High[i].
type SpreadCurve struct {
	Name   string    `json:"name"`
	Times  []float64 `json:"times"`
	Median []float64 `json:"median"`
	Low    []float64 `json:"low"`
	High   []float64 `json:"high"`
}

// NewSpreadCurve makes the curve from the times at which each revocation
// reached the others. Of a revocation that missed some, fewer times than nodes
// are given: then its share stays below 1, for ever.
func NewSpreadCurve(name string, arrivals [][]float64, nodes int) SpreadCurve {
	c := SpreadCurve{Name: name}
	if nodes < 1 || len(arrivals) == 0 {
		return c
	}
	var all []float64
	sorted := make([][]float64, len(arrivals))
	for i, a := range arrivals {
		sorted[i] = slices.Sorted(slices.Values(a))
		all = append(all, a...)
	}
	slices.Sort(all)
	shares := make([]float64, len(sorted))
	for _, at := range spaced(all, spreadPoints) {
		for i, a := range sorted {
			known, _ := slices.BinarySearch(a, at)
			for known < len(a) && a[known] == at {
				known++
			}
			shares[i] = float64(known) / float64(nodes)
		}
		slices.Sort(shares)
		c.Times = append(c.Times, at)
		c.Low, c.Median, c.High = append(c.Low, pick(shares, 0.05)), append(c.Median, pick(shares, 0.5)), append(c.High, pick(shares, 0.95))
	}
	return c
}

// spreadPoints is how many moments a curve has: more than can be seen apart.
const spreadPoints = 120

// spaced returns up to n of the sorted values, evenly by rank, with the first
// and the last.
func spaced(sorted []float64, n int) (out []float64) {
	for i := range min(n, len(sorted)) {
		v := sorted[i*(len(sorted)-1)/max(1, min(n, len(sorted))-1)]
		if len(out) == 0 || out[len(out)-1] != v {
			out = append(out, v)
		}
	}
	return out
}

// pick returns the value of sorted below which a share lies.
func pick(sorted []float64, share float64) float64 {
	return sorted[int(share*float64(len(sorted)-1)+0.5)]
}
