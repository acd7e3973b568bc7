package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// logTicks marks 1, 2 and 5 of each decade with a number if there are few
// decades, else only the decades.
func logTicks(labels int) plot.Ticker {
	return plot.TickerFunc(func(low, high float64) (ticks []plot.Tick) {
		decades := math.Log10(high / low)
		for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
			for _, m := range []float64{1, 2, 3, 4, 5, 6, 7, 8, 9} {
				v := m * math.Pow(10, e)
				if v < low*0.999 || v > high*1.001 {
					continue
				}
				t := plot.Tick{Value: v}
				every := max(1, int(math.Ceil(decades/float64(labels))))
				if (m == 1 && int(e)%every == 0) || ((m == 2 || m == 5) && decades*3 <= float64(labels)) || ((m == 3) && decades*2 <= float64(labels) && decades*3 > float64(labels)) {
					t.Label = axisNumber(v)
				}
				ticks = append(ticks, t)
			}
		}
		return labelled(ticks, low, high)
	})
}

// labelled gives a number to the first and the last tick if less than two have
// one.
func labelled(ticks []plot.Tick, low, high float64) []plot.Tick {
	n := 0
	for _, t := range ticks {
		if t.Label != "" {
			n++
		}
	}
	if n >= 2 {
		return ticks
	}
	if len(ticks) < 2 {
		return []plot.Tick{{Value: low, Label: axisNumber(low)}, {Value: high, Label: axisNumber(high)}}
	}
	for _, i := range []int{0, len(ticks) - 1} {
		ticks[i].Label = axisNumber(ticks[i].Value)
	}
	return ticks
}

// linearTicks marks round numbers, at most about so many.
func linearTicks(labels int) plot.Ticker {
	return plot.TickerFunc(func(low, high float64) (ticks []plot.Tick) {
		step := niceStep((high - low) / float64(labels))
		if step <= 0 || math.IsNaN(step) || math.IsInf(step, 0) {
			return nil
		}
		for i := math.Ceil(low / step); i*step <= high*(1+1e-9); i++ {
			ticks = append(ticks, plot.Tick{Value: i * step, Label: axisNumber(i * step)})
		}
		return ticks
	})
}

// niceStep returns the next of 1, 2, 5, 10 and so on that is not below v.
func niceStep(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*decade >= v*(1-1e-9) {
			return m * decade
		}
	}
	return 10 * decade
}

// axisNumber is for round numbers: millions are short.
func axisNumber(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e9 && a < 1e15:
		return Number(v/1e9) + " G"
	case a >= 1e6 && a < 1e15:
		return Number(v/1e6) + " M"
	case a >= 1000:
		return Number(math.Round(v))
	default:
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
}

// nines are the ticks of an axis on which 90 %, 99 %, 99.9 % are as far apart.
func nines(most float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, t := range []struct {
		share float64
		label string
	}{{0, "0"}, {0.5, "50"}, {0.9, "90"}, {0.99, "99"}, {0.999, "99.9"}, {0.9999, "99.99"}, {0.99999, "99.999"}, {0.999999, "99.9999"}} {
		if x := nine(t.share); x <= most+1e-9 {
			ticks = append(ticks, plot.Tick{Value: x, Label: t.label})
		}
	}
	return ticks
}

// nine is the place of a share, 0 to below 1, on that axis.
func nine(share float64) float64 { return -math.Log10(1 - share) }
