package dashboard

import (
	"fmt"
	"math"
	"slices"
	"time"

	"rescind/cluster"
)

// percentiles are those of the window that are drawn.
var percentiles = []struct {
	q     float64
	class string
	name  string
}{{0.5, "c1", "median"}, {0.95, "c2", "95 %"}, {0.99, "c3", "99 %"}}

// quantile estimates the q-quantile of a histogram: exact to the bucket, and
// even on a logarithmic scale within it. What lies above all bounds counts as the
// last one. It is NaN, and total 0, where there are no samples.
func quantile(bounds []time.Duration, counts []uint64, q float64) (seconds float64, total uint64) {
	for _, n := range counts {
		total += n
	}
	if total == 0 || len(bounds) == 0 {
		return math.NaN(), 0
	}
	rank := q * float64(total)
	below := 0.0
	for i, n := range counts {
		if below+float64(n) < rank || n == 0 {
			below += float64(n)
			continue
		}
		if i >= len(bounds) {
			break
		}
		upper := bounds[i].Seconds()
		lower := upper / 2
		if i > 0 {
			lower = bounds[i-1].Seconds()
		}
		return lower * math.Pow(upper/lower, (rank-below)/float64(n)), total
	}
	return bounds[len(bounds)-1].Seconds(), total
}

// windowWidth is how much time one point of the percentile plot stands for.
const windowWidth = 10 * time.Second

// windowChart draws the percentiles of the propagation window over time.
func windowChart(now time.Time, bounds []time.Duration, bins []bin) chart {
	c := chart{ID: "window", Title: "Propagation window, live"}
	x, y := timeAxis(now), durations(floor, top)
	c.belowTimes(x)
	c.besideDurations(y)
	all := make([]uint64, len(bounds)+1)
	for _, b := range bins {
		for i := range b.window {
			if i < len(all) {
				all[i] += b.window[i]
			}
		}
	}
	for _, p := range percentiles {
		xs, ys := make([]float64, len(bins)), make([]float64, len(bins))
		for i, b := range bins {
			xs[i], ys[i] = x.time(b.from.Add(windowWidth/2)), math.NaN()
			if s, n := quantile(bounds, b.window, p.q); n > 0 {
				ys[i] = y.at(s)
			}
		}
		c.line(p.class, xs, ys)
		s, _ := quantile(bounds, all, p.q)
		c.Legend = append(c.Legend, legend{p.class, p.name, showSeconds(s)})
	}
	_, n := quantile(bounds, all, 0.5)
	if n == 0 {
		c.Empty = "no log-out was accepted here in the last 10 minutes"
		c.Summary = c.Empty
		return c
	}
	c.Summary = fmt.Sprintf("Of %d acknowledgements in the last 10 minutes, half came within %s, 95 %% within %s, 99 %% within %s.",
		n, c.Legend[0].Value, c.Legend[1].Value, c.Legend[2].Value)
	return c
}

// distributionChart draws which share of acknowledgements came within which
// time: of the last minutes, and since the start.
func distributionChart(h cluster.Histogram, lately []uint64) chart {
	c := chart{ID: "distribution", Title: "Propagation window, distribution"}
	x, y := durations(left, right), axis{min: 0, max: 100, from: floor, to: top}
	var values []float64
	var texts []string
	for _, tick := range durationTicks {
		values, texts = append(values, tick.seconds), append(texts, tick.text)
	}
	c.below(x, values, texts)
	for _, percent := range []float64{0, 25, 50, 75, 100} {
		c.beside(y, percent, fmt.Sprintf("%g %%", percent))
	}
	for _, set := range []struct {
		class, name string
		counts      []uint64
	}{{"c4", "since the start", h.Counts}, {"c1", "last 10 minutes", lately}} {
		_, total := quantile(h.Bounds, set.counts, 0.5)
		if total == 0 {
			continue
		}
		xs, ys := []float64{x.at(0)}, []float64{y.at(0)}
		var sum uint64
		for i, bound := range h.Bounds {
			sum += set.counts[i]
			xs, ys = append(xs, x.at(bound.Seconds())), append(ys, y.at(100*float64(sum)/float64(total)))
		}
		c.line(set.class, xs, ys)
		c.Legend = append(c.Legend, legend{set.class, set.name, fmt.Sprintf("%d acknowledgements", total)})
	}
	slices.Reverse(c.Legend)
	if len(c.Legend) == 0 {
		c.Empty = "no log-out has been acknowledged yet"
		c.Summary = c.Empty
		return c
	}
	p99, n := quantile(h.Bounds, h.Counts, 0.99)
	c.Summary = fmt.Sprintf("Since the start, 99 %% of %d acknowledgements came within %s.", n, showSeconds(p99))
	return c
}

// sumWindows adds up the windows of bins.
func sumWindows(bins []bin, n int) []uint64 {
	sum := make([]uint64, n)
	for _, b := range bins {
		for i := range b.window {
			if i < n {
				sum[i] += b.window[i]
			}
		}
	}
	return sum
}
