package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// chart is a drawing in SVG: shapes in a box of chartW by chartH, whose colours
// are classes of the style sheet, and the same in words.
type chart struct {
	ID      string // unique in the page
	Title   string
	Summary string // for who does not see it
	Empty   string // stands in the middle where there is nothing to draw

	Grid   []gridLine
	Lines  []polyline
	Dots   []dot
	Bars   []bar
	Legend []legend
}

type gridLine struct {
	X1, Y1, X2, Y2 float64
	TextX, TextY   float64
	Text, Anchor   string
}

type polyline struct{ Class, Points string }

type dot struct {
	Class string
	X, Y  float64
}

type bar struct {
	Class      string
	X, Y, W, H float64
}

type legend struct{ Class, Name, Value string }

// The box of a chart, and in it the frame of its data.
const (
	chartW, chartH          = 440, 210
	left, right, top, floor = 48, 428, 12, 180
)

// axis maps a value to a place between from and to.
type axis struct {
	min, max float64
	from, to float64
	log      bool
}

func (a axis) at(v float64) float64 {
	v = min(max(v, a.min), a.max)
	share := (v - a.min) / (a.max - a.min)
	if a.log {
		share = math.Log(v/a.min) / math.Log(a.max/a.min)
	}
	return math.Round(10*(a.from+share*(a.to-a.from))) / 10
}

// durations is the axis on which windows and staleness are shown: a tenth of a
// millisecond to beyond where something is broken.
func durations(from, to float64) axis {
	return axis{min: 0.0001, max: 60, from: from, to: to, log: true}
}

var durationTicks = []struct {
	seconds float64
	text    string
}{{0.0001, "0.1 ms"}, {0.001, "1 ms"}, {0.01, "10 ms"}, {0.1, "100 ms"}, {1, "1 s"}, {10, "10 s"}}

// timeAxis is the last span up to now.
func timeAxis(now time.Time) axis {
	return axis{min: float64(now.Add(-span).UnixMilli()), max: float64(now.UnixMilli()), from: left, to: right}
}

func (a axis) time(t time.Time) float64 { return a.at(float64(t.UnixMilli())) }

// below adds ticks along the floor of c.
func (c *chart) below(a axis, values []float64, texts []string) {
	for i, v := range values {
		x := a.at(v)
		c.Grid = append(c.Grid, gridLine{x, top, x, floor, x, floor + 16, texts[i], "middle"})
	}
}

func (c *chart) belowTimes(a axis) {
	c.below(a, []float64{a.min, (a.min + a.max) / 2, a.max}, []string{"-10 min", "-5 min", "now"})
	c.Grid[len(c.Grid)-1].Anchor, c.Grid[len(c.Grid)-1].TextX = "end", right+8
}

// beside adds a tick on the left of c.
func (c *chart) beside(a axis, v float64, text string) {
	y := a.at(v)
	c.Grid = append(c.Grid, gridLine{left, y, right, y, left - 5, y + 4, text, "end"})
}

func (c *chart) besideDurations(a axis) {
	for _, tick := range durationTicks {
		c.beside(a, tick.seconds, tick.text)
	}
}

// line adds a line through points. NaN parts it; a point between two gaps
// becomes a dot.
func (c *chart) line(class string, xs, ys []float64) {
	var run []string
	flush := func(i int) {
		if len(run) == 1 {
			c.Dots = append(c.Dots, dot{class, xs[i-1], ys[i-1]})
		}
		if len(run) > 1 {
			c.Lines = append(c.Lines, polyline{class, strings.Join(run, " ")})
		}
		run = nil
	}
	for i := range xs {
		if math.IsNaN(ys[i]) {
			flush(i)
			continue
		}
		run = append(run, fmt.Sprintf("%g,%g", xs[i], ys[i]))
	}
	flush(len(xs))
}

// roof returns the least of 1, 2 and 5 times a power of ten that is not below v.
func roof(v float64) float64 {
	if v <= 1 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= v {
			return f * power
		}
	}
	return 10 * power
}
