package report

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// chart draws the percentiles. The k-th of n samples is at (k-1/2)/n, so that
// the largest has a place too.
func (p Percentiles) chart() (chart, error) {
	c := chart{Title: p.Title, Caption: p.Caption, Legend: legendOf(p.Distributions)}
	return c.draw(func(s size) (*plot.Plot, size) {
		y, most := noBounds(), 0.0
		for _, d := range p.Distributions {
			see(&y, d)
			if n := float64(d.Total()); n > 0 {
				most = max(most, nine(1-0.5/n))
			}
		}
		if y.empty() {
			return nil, s
		}
		out := newPlot(Axis{Label: "Percentile"}, Axis{Label: "Time", Unit: p.Unit, Log: true}, s)
		out.X.Tick.Marker = nines(max(most, nine(0.9)))
		for i, d := range p.Distributions {
			addDistribution(out, i, d, func(rank float64) float64 { return nine((rank - 0.5) / float64(d.Total())) }, false)
		}
		y.limit(&out.Y)
		out.X.Min, out.X.Max = 0, max(most, nine(0.9))
		return out, s
	})
}

// chart draws the shares.
func (p CDF) chart() (chart, error) {
	c := chart{Title: p.Title, Caption: p.Caption, Legend: legendOf(p.Distributions)}
	return c.draw(func(s size) (*plot.Plot, size) {
		x := noBounds()
		for _, d := range p.Distributions {
			see(&x, d)
		}
		if x.empty() {
			return nil, s
		}
		out := newPlot(Axis{Label: "Time", Unit: p.Unit, Log: true}, Axis{Label: "Done within it", Unit: "%"}, s)
		for i, d := range p.Distributions {
			addDistribution(out, i, d, func(rank float64) float64 { return 100 * rank / float64(d.Total()) }, true)
		}
		x.limit(&out.X)
		out.Y.Min, out.Y.Max = 0, 100
		return out, s
	})
}

// see takes the times that can be drawn on a logarithmic axis.
func see(b *bounds, d Distribution) {
	for _, v := range d.Values {
		if v > 0 {
			b.see(v)
		}
	}
}

// addDistribution draws the samples as steps by rank, 1 to the total. Those
// that never arrived are dashed, up to a mark at the time they were given.
func addDistribution(p *plot.Plot, i int, d Distribution, place func(rank float64) float64, flip bool) {
	var arrived, lost plotter.XYs
	at := func(rank, value float64) plotter.XY {
		if flip {
			return plotter.XY{X: value, Y: place(rank)}
		}
		return plotter.XY{X: place(rank), Y: value}
	}
	seen, total := 0.0, float64(d.Total())
	known := total - float64(d.Lost)
	for k, v := range d.Values {
		first, last := seen+1, seen+float64(d.Counts[k])
		seen = last
		if v <= 0 {
			continue
		}
		if first <= known {
			arrived = append(arrived, at(first, v), at(min(last, known), v))
		}
		if last > known {
			if n := len(arrived); n > 0 && len(lost) == 0 {
				lost = append(lost, arrived[n-1])
			}
			lost = append(lost, at(max(first, known+1), v), at(last, v))
		}
	}
	addLine(p, thinned(arrived), stroke(i, false))
	if len(arrived) == 2 && arrived[0] == arrived[1] || len(arrived) > 0 && total == 1 {
		addPoints(p, arrived[:1], i, draw.CircleGlyph{})
	}
	addLine(p, lost, stroke(i, true))
	if len(lost) > 0 {
		addPoints(p, lost[len(lost)-1:], i, draw.CrossGlyph{})
	}
}

func addLine(p *plot.Plot, points plotter.XYs, style draw.LineStyle) {
	if len(points) > 0 {
		p.Add(&plotter.Line{XYs: points, LineStyle: style})
	}
}

func addPoints(p *plot.Plot, points plotter.XYs, i int, shape draw.GlyphDrawer) {
	p.Add(&plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: solid(seriesInk(i)), Radius: 3.5, Shape: shape}})
}

// mostPoints of a line are drawn: as many as can be seen apart.
const mostPoints = 700

// thinned leaves out points in between. Of those that fall together, the
// lowest and the highest stay.
func thinned(points plotter.XYs) plotter.XYs {
	if len(points) <= mostPoints {
		return points
	}
	out := plotter.XYs{points[0]}
	inner := points[1 : len(points)-1]
	groups := mostPoints / 2
	for g := range groups {
		group := inner[g*len(inner)/groups : (g+1)*len(inner)/groups]
		if len(group) == 0 {
			continue
		}
		low, high := 0, 0
		for k, q := range group {
			if q.Y < group[low].Y {
				low = k
			}
			if q.Y > group[high].Y {
				high = k
			}
		}
		out = append(out, group[min(low, high)])
		if low != high {
			out = append(out, group[max(low, high)])
		}
	}
	return append(out, points[len(points)-1])
}

func legendOf(all []Distribution) (keys []legendKey) {
	for i, d := range all {
		k := keyOf(i, d.Name, i >= seriesColours)
		switch {
		case d.Total() == 0:
			k.Name += " (no samples)"
		case d.Lost > 0:
			k.Name += fmt.Sprintf(" (%d of %d never arrived: dashed)", d.Lost, d.Total())
		}
		keys = append(keys, k)
	}
	return keys
}
