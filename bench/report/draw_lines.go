package report

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// chart draws the share that knows.
func (p Spread) chart() (chart, error) {
	l := Lines{Title: p.Title, Caption: p.Caption, X: Axis{Label: "Time since the call", Unit: p.Unit, Log: true}, Y: Axis{Label: "Nodes that refuse the token", Unit: "%"}}
	percent := func(shares []float64) []float64 {
		out := make([]float64, len(shares))
		for i, s := range shares {
			out[i] = 100 * s
		}
		return out
	}
	for _, c := range p.Curves {
		l.Lines = append(l.Lines, Line{Name: c.Name, X: c.Times, Y: percent(c.Median), Low: percent(c.Low), High: percent(c.High), Steps: true})
	}
	return l.chart()
}

func (p Lines) chart() (chart, error) {
	c := chart{Title: p.Title, Caption: p.Caption, Legend: legendOfLines(p.Lines)}
	return c.draw(func(s size) (*plot.Plot, size) {
		out := newPlot(p.X, p.Y, s)
		if !addLines(out, p.X, p.Y, p.Lines) {
			return nil, s
		}
		if p.Y.Unit == "%" && out.Y.Max > 100 && out.Y.Max < 106 {
			out.Y.Max = 100
		}
		return out, s
	})
}

func legendOfLines(lines []Line) (keys []legendKey) {
	for i, l := range lines {
		keys = append(keys, keyOf(i, l.Name, l.Dashed || i >= seriesColours))
	}
	return keys
}

// addLines draws lines and their bands and sets the axes to hold them. It
// reports whether there is anything.
func addLines(p *plot.Plot, xa, ya Axis, lines []Line) bool {
	x, y := noBounds(), noBounds()
	ok := func(a Axis, v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.Log || v > 0) }
	series := func(l Line, values []float64) (points plotter.XYs) {
		for k := range min(len(l.X), len(values)) {
			if ok(xa, l.X[k]) && ok(ya, values[k]) {
				x.see(l.X[k])
				y.see(values[k])
				points = append(points, plotter.XY{X: l.X[k], Y: values[k]})
			}
		}
		if l.Steps {
			points = steps(points)
		}
		return thinned(points)
	}
	for i, l := range lines {
		low, high := series(l, l.Low), series(l, l.High)
		if len(low) > 1 && len(high) > 1 {
			slices.Reverse(high)
			p.Add(&plotter.Polygon{XYs: []plotter.XYs{slices.Concat(low, high)}, Color: faint(seriesInk(i), 0.18)})
		}
	}
	for i, l := range lines {
		points := series(l, l.Y)
		addLine(p, points, stroke(i, l.Dashed))
		if l.Points || len(points) == 1 {
			addPoints(p, points, i, draw.CircleGlyph{})
		}
	}
	if x.empty() || y.empty() {
		return false
	}
	y.limit(&p.Y)
	p.X.Min, p.X.Max = x.low, x.high
	if p.X.Max <= p.X.Min {
		x.limit(&p.X)
	}
	return true
}

// steps holds each value until the next.
func steps(points plotter.XYs) (out plotter.XYs) {
	for i, q := range points {
		if i > 0 {
			out = append(out, plotter.XY{X: q.X, Y: points[i-1].Y})
		}
		out = append(out, q)
	}
	return out
}
