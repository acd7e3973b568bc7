package report

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// rowHeight is what a bar takes, with its name above it.
const rowHeight vg.Length = 38

func (p Bars) chart() (chart, error) {
	c := chart{Title: p.Title, Caption: p.Caption}
	return c.draw(func(s size) (*plot.Plot, size) {
		x := noBounds()
		for _, b := range p.Bars {
			if !p.Value.Log || b.Value > 0 {
				x.see(b.Value)
			}
			if b.High > b.Low && (!p.Value.Log || b.Low > 0) {
				x.see(b.Low, b.High)
			}
		}
		if x.empty() {
			return nil, s
		}
		s.height = rowHeight*vg.Length(len(p.Bars)) + 50
		out := newPlot(p.Value, Axis{}, s)
		out.HideY()
		room := 1.16
		if s.labels == narrow.labels {
			room = 1.3
		}
		if p.Value.Log {
			out.X.Min = math.Pow(10, math.Floor(math.Log10(x.low/1.3)))
			out.X.Max = x.high * math.Pow(x.high/out.X.Min, room-1)
		} else {
			out.X.Min, out.X.Max = min(0, x.low), max(x.high*room, x.low+1e-9)
		}
		out.Y.Min, out.Y.Max = 0, float64(len(p.Bars))
		out.Add(barRows{p, s})
		return out, s
	})
}

// barRows draws the bars from top to bottom.
type barRows struct {
	Bars
	s size
}

// Plot is part of plot.Plotter.
func (b barRows) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	name, value := letters(inkText, b.s.letters), letters(inkText, b.s.letters)
	name.YAlign, value.YAlign = text.YBottom, text.YCenter
	for i, bar := range b.Bars.Bars {
		top := y(float64(len(b.Bars.Bars) - i))
		low, high := top-rowHeight*0.92, top-rowHeight*0.52
		code := inkMuted
		if bar.Ours {
			code = seriesInk(0)
		}
		c.FillText(name, vg.Point{X: c.Min.X + 1, Y: high + 3}, bar.Name)
		if !b.Value.Log || bar.Value > 0 {
			fill(c, solid(code), c.Min.X, x(bar.Value), low, high)
		}
		end := x(max(bar.Value, p.X.Min))
		if bar.High > bar.Low && (!b.Value.Log || bar.Low > 0) {
			middle := (low + high) / 2
			whisker := draw.LineStyle{Color: solid(inkText), Width: 1.2}
			c.StrokeLine2(whisker, x(bar.Low), middle, x(bar.High), middle)
			for _, v := range []float64{bar.Low, bar.High} {
				c.StrokeLine2(whisker, x(v), middle-4, x(v), middle+4)
			}
			end = max(end, x(bar.High))
		}
		c.FillText(value, vg.Point{X: end + 5, Y: (low + high) / 2}, Number(bar.Value))
	}
}

func fill(c draw.Canvas, with any, left, right, low, high vg.Length) {
	if right <= left {
		return
	}
	c.FillPolygon(with.(ink), []vg.Point{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}})
}

func (p Shares) chart() (chart, error) {
	c := chart{Title: p.Title, Caption: p.Caption}
	for i, part := range p.Parts {
		c.Legend = append(c.Legend, keyOf(i, part, false))
	}
	return c.draw(func(s size) (*plot.Plot, size) {
		if len(p.Rows) == 0 {
			return nil, s
		}
		s.height = rowHeight*vg.Length(len(p.Rows)) + 50
		out := newPlot(Axis{Label: "Share", Unit: "%"}, Axis{}, s)
		out.HideY()
		out.X.Min, out.X.Max = 0, 100
		out.Y.Min, out.Y.Max = 0, float64(len(p.Rows))
		out.Add(shareRows{p, s})
		return out, s
	})
}

// shareRows draws each whole as one bar of several parts.
type shareRows struct {
	Shares
	s size
}

// Plot is part of plot.Plotter.
func (b shareRows) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	name, value := letters(inkText, b.s.letters), letters(inkPaper, b.s.letters)
	name.YAlign, value.YAlign, value.XAlign = text.YBottom, text.YCenter, text.XCenter
	for i, row := range b.Rows {
		top := y(float64(len(b.Rows) - i))
		low, high := top-rowHeight*0.94, top-rowHeight*0.5
		total := 0.0
		for _, n := range row.Counts {
			total += n
		}
		if total == 0 {
			c.FillText(name, vg.Point{X: c.Min.X + 1, Y: high + 3}, row.Name+": nothing was counted")
			continue
		}
		c.FillText(name, vg.Point{X: c.Min.X + 1, Y: high + 3}, row.Name)
		from := 0.0
		for k, n := range row.Counts {
			to := from + 100*n/total
			fill(c, solid(seriesInk(k)), x(from), x(to), low, high)
			if label := fmt.Sprintf("%.0f %%", to-from); x(to)-x(from) > value.Width(label)+4 {
				c.FillText(value, vg.Point{X: x((from + to) / 2), Y: (low + high) / 2}, label)
			}
			from = to
		}
	}
}
