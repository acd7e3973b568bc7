package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"rescind"
)

// rateWidth is how much time one column of the rates stands for.
const rateWidth = 5 * time.Second

// classOf is the colour of a scope.
func classOf(s rescind.Scope) string { return fmt.Sprintf("c%d", s) }

// rateChart draws the revocations that came into force each second, by scope.
func rateChart(now time.Time, bins []bin) chart {
	c := chart{ID: "rates", Title: "Revocations per second, by scope"}
	peak := 0.0
	var total [rescind.NumScopes]uint64
	for _, b := range bins {
		sum := uint64(0)
		for scope, n := range b.inForce {
			sum += n
			total[scope] += n
		}
		peak = max(peak, float64(sum)/rateWidth.Seconds())
	}
	x, y := timeAxis(now), axis{min: 0, max: roof(peak), from: floor, to: top}
	c.belowTimes(x)
	for _, share := range []float64{0, 0.5, 1} {
		c.beside(y, share*y.max, showNumber(share*y.max))
	}
	for _, b := range bins {
		from := x.time(b.from)
		width := max(x.time(b.from.Add(rateWidth))-from-0.4, 0.2)
		height := 0.0
		for _, scope := range rescind.Scopes() {
			if n := b.inForce[scope]; n > 0 {
				rate := float64(n) / rateWidth.Seconds()
				low, high := y.at(height), y.at(height+rate)
				c.Bars = append(c.Bars, bar{classOf(scope), from, high, tenth(width), max(tenth(low-high), 0.5)})
				height += rate
			}
		}
	}
	var words []string
	for _, scope := range rescind.Scopes() {
		c.Legend = append(c.Legend, legend{classOf(scope), scope.String(), fmt.Sprint(total[scope])})
		if total[scope] > 0 {
			words = append(words, fmt.Sprintf("%d of %s", total[scope], scope))
		}
	}
	if len(words) == 0 {
		c.Empty = "no revocation came in the last 10 minutes"
		c.Summary = c.Empty
		return c
	}
	c.Summary = "In the last 10 minutes: " + strings.Join(words, ", ") + fmt.Sprintf("; at most %s a second.", showNumber(peak))
	return c
}

func tenth(v float64) float64 { return math.Round(10*v) / 10 }
