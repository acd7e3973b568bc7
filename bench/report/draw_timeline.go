package report

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// labelRows is how many names of periods and marks fit above each other.
const labelRows = 4

func (p Timeline) chart() (chart, error) {
	c := chart{Title: p.Title, Caption: p.Caption, Legend: legendOfLines(p.Lines)}
	return c.draw(func(s size) (*plot.Plot, size) {
		x := Axis{Label: "Time since the start", Unit: "s"}
		s.height += 40
		out := newPlot(x, p.Value, s)
		out.Add(moments{p, s})
		if !addLines(out, x, p.Value, p.Lines) {
			return nil, s
		}
		ends := noBounds()
		ends.see(out.X.Min, out.X.Max)
		for _, f := range p.Periods {
			ends.see(f.From, f.To)
		}
		for _, m := range p.Marks {
			ends.see(m.At)
		}
		out.X.Min, out.X.Max = ends.low, ends.high
		if len(p.Periods)+len(p.Marks) > 0 { // the names stand above the lines
			if p.Value.Log {
				out.Y.Max *= math.Pow(out.Y.Max/out.Y.Min, 0.3)
			} else {
				out.Y.Max += 0.3 * (out.Y.Max - out.Y.Min)
			}
		}
		return out, s
	})
}

// moments draws periods and marks behind the lines, with their names on top.
type moments struct {
	Timeline
	s size
}

// Plot is part of plot.Plotter.
func (m moments) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	style := letters(inkText, m.s.letters-1)
	style.YAlign = text.YTop
	taken := [labelRows]vg.Length{}
	write := func(at vg.Length, name string) {
		at = max(c.Min.X, min(at, c.Max.X-style.Width(name)))
		best := 0
		for row, end := range taken {
			if end <= at {
				best = row
				break
			}
			if end < taken[best] {
				best = row
			}
		}
		taken[best] = at + style.Width(name)*1.05 + 8
		c.FillText(style, vg.Point{X: at, Y: c.Max.Y - vg.Length(best)*(m.s.letters+1)}, name)
	}
	for _, f := range m.Periods {
		fill(c, faint(inkMuted, 0.16), x(f.From), x(f.To), c.Min.Y, c.Max.Y)
	}
	line := draw.LineStyle{Color: solid(inkMuted), Width: 1, Dashes: []vg.Length{2, 2}}
	for _, k := range m.Marks {
		c.StrokeLine2(line, x(k.At), c.Min.Y, x(k.At), c.Max.Y)
	}
	for _, l := range m.labels() {
		write(x(l.At)+3, l.Name)
	}
}

// labels returns the names of periods and marks in the order of time.
func (m moments) labels() []Mark {
	all := make([]Mark, 0, len(m.Periods)+len(m.Marks))
	for _, f := range m.Periods {
		all = append(all, Mark{f.Name, f.From})
	}
	all = append(all, m.Marks...)
	sortMarks(all)
	return all
}

func sortMarks(all []Mark) {
	slices.SortStableFunc(all, func(a, b Mark) int { return cmp.Compare(a.At, b.At) })
}
