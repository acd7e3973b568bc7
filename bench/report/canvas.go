package report

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"regexp"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// size of a drawing. Each plot is drawn twice, because letters that shrink with
// the plot can't be read on a telephone; the style sheet shows one.
type size struct {
	width, height, letters vg.Length
	labels                 int // how many numbers an axis across has room for
}

var (
	wide   = size{width: 760, height: 360, letters: 12.5, labels: 9}
	narrow = size{width: 350, height: 290, letters: 11.5, labels: 4}
)

// chart is a plot as the page shows it.
type chart struct {
	Title, Caption string
	Legend         []legendKey
	Wide, Narrow   template.HTML
	Empty          bool // there is nothing to draw
}

// legendKey explains one line or one colour.
type legendKey struct {
	Name   string
	Colour template.CSS
	Dashed bool
}

func keyOf(i int, name string, dashed bool) legendKey {
	return legendKey{Name: name, Colour: template.CSS("var(" + variable(seriesInk(i)) + ")"), Dashed: dashed} // #nosec G203 -- of constants
}

// picture draws at one size; nil if there is nothing to draw.
type picture func(s size) (*plot.Plot, size)

// draw fills in both drawings.
func (c chart) draw(p picture) (chart, error) {
	for _, s := range []size{wide, narrow} {
		made, s := p(s)
		if made == nil {
			c.Empty = true
			return c, nil
		}
		svg, err := render(made, s, c.Title)
		if err != nil {
			return c, fmt.Errorf("draw %q: %w", c.Title, err)
		}
		if s.letters == wide.letters {
			c.Wide = svg
		} else {
			c.Narrow = svg
		}
	}
	return c, nil
}

var (
	svgStart   = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	fontStyles = regexp.MustCompile(`font-(family|variant|weight|style):[^;"]*;?`)
)

// render returns the plot for use within a page: its letters and colours are
// the page's.
func render(p *plot.Plot, s size, title string) (template.HTML, error) {
	canvas := vgsvg.New(s.width, s.height)
	c := draw.New(canvas)
	left := vg.Length(0)
	if p.Y.Label.Text == "" { // no axis there, whose numbers keep the distance
		left = s.letters
	}
	p.Draw(draw.Crop(c, left, -2*s.letters, 0, -s.letters/2)) // the outermost numbers stand out over the ends of the axes
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	svg := themed(fontStyles.ReplaceAll(b.Bytes(), nil))
	start := fmt.Sprintf(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, float64(s.width), float64(s.height), template.HTMLEscapeString(title))
	return template.HTML(svgStart.ReplaceAll(svg, []byte(start))), nil // #nosec G203 -- gonum's drawing, whose text is escaped
}

// newPlot returns an empty plot with axes, ticks and a grid.
func newPlot(x, y Axis, s size) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []struct {
		axis   *plot.Axis
		says   Axis
		labels int
	}{{&p.X, x, s.labels}, {&p.Y, y, 6}} {
		a.axis.Label.Text = a.says.String()
		a.axis.Label.TextStyle = aligned(letters(inkMuted, s.letters), a.axis.Label.TextStyle)
		a.axis.Label.Padding = 4
		a.axis.Color, a.axis.Width = solid(inkGrid), 1
		a.axis.Tick.Color, a.axis.Tick.Width, a.axis.Tick.Length = solid(inkGrid), 1, 4
		a.axis.Tick.Label = aligned(letters(inkText, s.letters), a.axis.Tick.Label)
		a.axis.Padding = 2
		a.axis.Tick.Marker = linearTicks(a.labels)
		if a.says.Log {
			a.axis.Scale, a.axis.Tick.Marker = plot.LogScale{}, logTicks(a.labels)
		}
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = solid(inkGrid), solid(inkGrid)
	grid.Vertical.Width, grid.Horizontal.Width = 0.6, 0.6
	p.Add(grid)
	return p
}

// String is what is written beside the axis.
func (a Axis) String() string {
	if a.Unit == "" {
		return a.Label
	}
	return a.Label + ", " + a.Unit
}

func aligned(s, as text.Style) text.Style {
	s.XAlign, s.YAlign, s.Rotation = as.XAlign, as.YAlign, as.Rotation
	return s
}

func letters(code uint8, height vg.Length) text.Style {
	return text.Style{Color: solid(code), Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, height), Handler: plot.DefaultTextHandler}
}

func stroke(i int, dashed bool) draw.LineStyle {
	s := draw.LineStyle{Color: solid(seriesInk(i)), Width: 1.8}
	if dashed || i >= seriesColours {
		s.Dashes = []vg.Length{5, 3}
	}
	return s
}

// bounds is the smallest range that holds what was seen.
type bounds struct{ low, high float64 }

func noBounds() bounds { return bounds{math.Inf(1), math.Inf(-1)} }

func (b *bounds) see(values ...float64) {
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			b.low, b.high = min(b.low, v), max(b.high, v)
		}
	}
}

func (b *bounds) empty() bool { return b.low > b.high }

// limit sets the axis to the bounds, with some room.
func (b *bounds) limit(a *plot.Axis) {
	if _, log := a.Scale.(plot.LogScale); log {
		a.Min, a.Max = b.low/1.15, b.high*1.15
		if a.Max/a.Min < 2 {
			a.Min, a.Max = a.Min/1.4, a.Max*1.4
		}
		return
	}
	a.Min, a.Max = min(0, b.low), b.high*1.05
	if a.Max <= a.Min {
		a.Max = a.Min + 1
	}
}
