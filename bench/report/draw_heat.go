package report

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The palest and the strongest shade of a heat map. Dark letters can be read
// on all of them.
const (
	palest    = 0.06
	strongest = 0.60
)

func (p HeatMap) chart() (chart, error) {
	shades := noBounds()
	for _, row := range p.Values {
		for _, v := range row {
			if v >= 0 {
				shades.see(v)
			}
		}
	}
	c := chart{Title: p.Title, Caption: p.Caption}
	if !shades.empty() {
		c.Legend = []legendKey{{Name: fmt.Sprintf("pale: %s %s, strong: %s %s", Number(shades.low), p.Unit, Number(shades.high), p.Unit), Colour: keyOf(0, "", false).Colour}}
	}
	return c.draw(func(s size) (*plot.Plot, size) {
		if shades.empty() {
			return nil, s
		}
		s.height = min(max(30*vg.Length(len(p.Rows))+60, 120), 620)
		out := newPlot(Axis{Label: p.ColumnLabel}, Axis{Label: p.RowLabel}, s)
		rows := slices.Clone(p.Rows)
		slices.Reverse(rows)
		out.X.Tick.Marker, out.Y.Tick.Marker = nameTicks(p.Columns, s, s.width-90), nameTicks(rows, s, 0)
		out.X.Min, out.X.Max, out.Y.Min, out.Y.Max = -0.5, float64(len(p.Columns))-0.5, -0.5, float64(len(rows))-0.5
		out.X.Padding, out.Y.Padding = 0, 0
		out.Add(heatCells{p, s, shades})
		return out, s
	})
}

// nameTicks names each place, or every second and so on where the names don't
// fit into the width. A width of 0 means that they stand below each other.
func nameTicks(names []string, s size, width vg.Length) (ticks plot.ConstantTicks) {
	every := 1
	style := letters(inkText, s.letters)
	for _, n := range names {
		if width > 0 {
			every = max(every, int(float64(style.Width(n)+6)*float64(len(names))/float64(width))+1)
		}
	}
	for i, n := range names {
		if i%every == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: n})
		}
	}
	return ticks
}

// heatCells draws the cells.
type heatCells struct {
	HeatMap
	s      size
	shades bounds
}

// Plot is part of plot.Plotter.
func (h heatCells) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := letters(inkText, h.s.letters-1)
	style.XAlign, style.YAlign = text.XCenter, text.YCenter
	for i, row := range h.Values {
		middle := float64(len(h.Values) - 1 - i)
		for k, v := range row {
			left, right := x(float64(k)-0.5)+1, x(float64(k)+0.5)-1
			low, high := y(middle-0.5)+1, y(middle+0.5)-1
			if v < 0 {
				fill(c, solid(inkPaper), left, right, low, high) // hides the grid
				fill(c, faint(inkGrid, 0.5), left, right, low, high)
				continue
			}
			share := 0.0
			if h.shades.high > h.shades.low {
				share = (v - h.shades.low) / (h.shades.high - h.shades.low)
			}
			fill(c, solid(inkPaper), left, right, low, high)
			fill(c, faint(seriesInk(0), palest+share*(strongest-palest)), left, right, low, high)
			if label := Number(v); style.Width(label) < right-left-2 && high-low > style.Font.Size {
				c.FillText(style, vg.Point{X: (left + right) / 2, Y: (low + high) / 2}, label)
			}
		}
	}
}
