package report

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"
)

// TestPlotsOfLittle: nothing, one sample and samples of which none arrived are
// drawn, or said to be nothing; none makes a number that no browser takes.
func TestPlotsOfLittle(t *testing.T) {
	none := Distribution{Name: "none"}
	one := FromValues("one", []float64{1.5}, 0, 0)
	zero := FromValues("zero", []float64{0, 0}, 0, 0)
	lost := FromValues("lost", []float64{3000, 3000}, 2, 3000)
	same := FromValues("same", []float64{2, 2, 2}, 0, 0)
	many := func(d ...Distribution) []drawable {
		return []drawable{&Percentiles{Distributions: d}, &CDF{Distributions: d}}
	}
	cases := []struct {
		what  string
		plots []drawable
		empty bool
	}{
		{"no distributions", many(), true},
		{"no samples", many(none), true},
		{"only zeros, on a logarithmic axis", many(zero), true},
		{"one sample", many(one), false},
		{"none arrived", many(lost), false},
		{"the same each time", many(same), false},
		{"all of these", many(none, one, zero, lost, same), false},
		{"empty others", []drawable{&HeatMap{}, &Spread{}, &Lines{}, &Bars{}, &Shares{}, &Timeline{}, &Spread{Curves: []SpreadCurve{{}}}, &HeatMap{Rows: []string{"a"}, Columns: []string{"a"}, Values: [][]float64{{-1}}}}, true},
		{"one value", []drawable{
			&HeatMap{Rows: []string{"a"}, Columns: []string{"a"}, Values: [][]float64{{1}}},
			&Spread{Curves: []SpreadCurve{NewSpreadCurve("", [][]float64{{1}}, 1)}},
			&Lines{Lines: []Line{{X: []float64{1}, Y: []float64{1}}}},
			&Lines{X: Axis{Log: true}, Y: Axis{Log: true}, Lines: []Line{{X: []float64{1}, Y: []float64{1}}}},
			&Bars{Bars: []Bar{{Value: 1}}}, &Bars{Value: Axis{Log: true}, Bars: []Bar{{Value: 1}, {Value: 0}}},
			&Shares{Parts: []string{"a"}, Rows: []ShareRow{{"x", []float64{0}}}},
			&Timeline{Lines: []Line{{X: []float64{1}, Y: []float64{0}}}, Marks: []Mark{{"m", 1}}},
		}, false},
		{"what is no number", []drawable{&Lines{Lines: []Line{{X: []float64{1, 2, math.NaN()}, Y: []float64{math.Inf(1), 2, 3}}}}}, false},
		{"lines of unequal length", []drawable{&Lines{Lines: []Line{{X: []float64{1, 2, 3}, Y: []float64{1}, Low: []float64{1, 2, 3, 4}, High: []float64{2}}}}}, false},
	}
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			for _, p := range c.plots {
				made, err := p.chart()
				if err != nil {
					t.Fatal(err)
				}
				if made.Empty != c.empty {
					t.Errorf("%T: empty is %v", p, made.Empty)
				}
				if svg := string(made.Wide + made.Narrow); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
					t.Errorf("%T draws what is no number", p)
				}
			}
		})
	}
}

// TestLostSamplesAreSeen: what never arrived is a line of its own and is named.
func TestLostSamplesAreSeen(t *testing.T) {
	for _, lost := range []int64{0, 2} {
		d := FromValues("nats", []float64{1, 2, 3, 3000, 3000}, lost, 3000)
		c, err := (Percentiles{Distributions: []Distribution{d}}).chart()
		if err != nil {
			t.Fatal(err)
		}
		dashed, named := strings.Contains(string(c.Wide), "stroke-dasharray"), strings.Contains(c.Legend[0].Name, "2 of 5 never arrived")
		if dashed != (lost > 0) || named != (lost > 0) {
			t.Errorf("%d lost: dashed %v, named %v", lost, dashed, named)
		}
	}
}

// TestThinnedKeepsTheExtremes: a claim that was below the truth for a moment
// must not disappear between two points that are drawn.
func TestThinnedKeepsTheExtremes(t *testing.T) {
	var points plotter.XYs
	for i := range 100_000 {
		points = append(points, plotter.XY{X: float64(i), Y: 100})
	}
	points[31_415].Y, points[77_777].Y = 1, 5000
	out := thinned(points)
	if len(out) > mostPoints+2 {
		t.Errorf("%d points are left", len(out))
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i, q := range out {
		low, high = min(low, q.Y), max(high, q.Y)
		if i > 0 && q.X < out[i-1].X {
			t.Fatalf("point %d goes back", i)
		}
	}
	if low != 1 || high != 5000 || out[0] != points[0] || out[len(out)-1] != points[len(points)-1] {
		t.Errorf("from %v to %v", low, high)
	}
}

func TestTicks(t *testing.T) {
	labels := func(low, high float64, log bool, n int) (out []string) {
		ticks := linearTicks(n).Ticks(low, high)
		if log {
			ticks = logTicks(n).Ticks(low, high)
		}
		for _, k := range ticks {
			if k.Label != "" {
				out = append(out, k.Label)
			}
		}
		return out
	}
	for _, c := range []struct {
		low, high float64
		log       bool
		n         int
		want      string
	}{
		{0, 100, false, 6, "0 20 40 60 80 100"},
		{0, 0.07, false, 6, "0 0.02 0.04 0.06"},
		{0.2, 6, true, 9, "0.2 0.5 1 2 5"},
		{0.9, 1100, true, 9, "1 3 10 30 100 300 1,000"},
		{1000, 1e8, true, 9, "1,000 10,000 100,000 1 M 10 M 100 M"},
		{1000, 1e8, true, 4, "10,000 1 M 100 M"},
		{1.1, 1.9, true, 9, "1.1 1.9"},
	} {
		if got := strings.Join(labels(c.low, c.high, c.log, c.n), " "); got != c.want {
			t.Errorf("%v to %v, log %v: %s, want %s", c.low, c.high, c.log, got, c.want)
		}
	}
}
