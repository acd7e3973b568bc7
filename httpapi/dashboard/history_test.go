package dashboard

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/httpapi/diagnosis"
)

// statusAfter is a node that accepts two sid a second, acknowledged in 2 ms.
func statusAfter(seconds int) cluster.Status {
	st := cluster.Status{Staleness: cluster.Staleness{Known: true, Bound: time.Duration(seconds) * time.Millisecond}}
	st.InForce[rescind.ScopeSID] = uint64(2 * seconds)
	st.Window = cluster.Histogram{Bounds: []time.Duration{time.Millisecond, 4 * time.Millisecond}, Counts: []uint64{0, uint64(2 * seconds), 0}}
	st.Counters.Healed = uint64(seconds)
	st.Members = []cluster.Member{
		{Name: "b", Origin: "2", Known: true, Staleness: st.Staleness.Bound},
		{Name: "a", Origin: "1", Known: seconds%2 == 0, Staleness: st.Staleness.Bound / 4},
	}
	return st
}

func TestHistory(t *testing.T) {
	var h history
	start := time.Unix(1_800_000_000, 0)
	for i := range 1000 {
		h.take(start.Add(time.Duration(i)*time.Second), statusAfter(i))
	}
	if len(h.samples) != keeps {
		t.Errorf("%d samples are kept; want %d", len(h.samples), keeps)
	}
	now := start.Add(999 * time.Second)
	bins := h.bins(now, rateWidth, int(span/rateWidth))
	for i, b := range bins[1 : len(bins)-1] {
		if !b.known || b.inForce[rescind.ScopeSID] != 10 || b.window[1] != 10 || b.staleness <= 0 {
			t.Fatalf("bin %d holds %+v", i+1, b)
		}
	}
	if last := bins[len(bins)-1]; last.inForce[rescind.ScopeSID] != 8 {
		t.Errorf("the bin under way holds %+v", last)
	}
	var v diagnosis.View
	if h.before(&v); v.Before.Healed != 999-uint64(recent/time.Second) {
		t.Errorf("%v ago it was %d", recent, v.Before.Healed)
	}
	h.take(start, statusAfter(0)) // the clock is set back
	if len(h.samples) != 1 {
		t.Error("samples of the future are kept")
	}
	for _, b := range (&history{}).bins(now, rateWidth, 3) {
		if b.known {
			t.Error("an empty history knows something")
		}
	}
}

// TestARestartedCounterIsNoFlood: differences never go below zero.
func TestARestartedCounterIsNoFlood(t *testing.T) {
	var h history
	start := time.Unix(1_800_000_000, 0)
	h.take(start, statusAfter(500))
	h.take(start.Add(time.Second), statusAfter(0))
	for _, b := range h.bins(start.Add(time.Second), 10*time.Second, 1) {
		if b.inForce[rescind.ScopeSID] != 0 || slices.Max(b.window) != 0 {
			t.Errorf("%+v", b)
		}
	}
}

// TestQuantile against all the samples: the right bucket, always.
func TestQuantile(t *testing.T) {
	bounds := []time.Duration{time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var samples []float64
		counts := make([]uint64, len(bounds)+1)
		for range 1 + rng.IntN(300) {
			s := 0.0005 * math.Exp(2.5*rng.Float64()*rng.Float64()*2)
			samples = append(samples, s)
			i, _ := slices.BinarySearch(bounds, time.Duration(s*float64(time.Second)))
			counts[i]++
		}
		slices.Sort(samples)
		for _, q := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
			got, n := quantile(bounds, counts, q)
			exact := samples[int(math.Ceil(q*float64(len(samples))))-1]
			bucket := func(s float64) int {
				i, _ := slices.BinarySearch(bounds, time.Duration(math.Round(s*1e9)))
				return min(i, len(bounds)-1)
			}
			if n != uint64(len(samples)) || bucket(got) != bucket(exact) && math.Abs(got-exact) > 1e-6 {
				t.Fatalf("seed %d, q %v: %v of %d; exactly %v", seed, q, got, n, exact)
			}
		}
	}
	if got, n := quantile(bounds, make([]uint64, 5), 0.5); n != 0 || !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
}

// TestLinesPartAtGaps.
func TestLinesPartAtGaps(t *testing.T) {
	var c chart
	nan := math.NaN()
	c.line("c1", []float64{1, 2, 3, 4, 5, 6}, []float64{1, 1, nan, 7, nan, 9})
	if len(c.Lines) != 1 || c.Lines[0].Points != "1,1 2,1" || len(c.Dots) != 2 || c.Dots[0] != (dot{"c1", 4, 7}) || c.Dots[1] != (dot{"c1", 6, 9}) {
		t.Errorf("%+v", c)
	}
}

func TestChartsStayInTheirFrame(t *testing.T) {
	var h history
	start := time.Unix(1_800_000_000, 0)
	for i := range 700 {
		st := statusAfter(i)
		st.Staleness.Bound = time.Duration(i*i) * time.Millisecond
		h.take(start.Add(time.Duration(i)*time.Second), st)
	}
	now := start.Add(699 * time.Second)
	rates := h.bins(now, rateWidth, int(span/rateWidth))
	windows := h.bins(now, windowWidth, int(span/windowWidth))
	last := statusAfter(699)
	for _, c := range []chart{
		rateChart(now, rates), stalenessChart(now, rates, last),
		windowChart(now, last.Window.Bounds, windows), distributionChart(last.Window, sumWindows(windows, 3)),
	} {
		if c.Empty != "" || c.Summary == "" || len(c.Lines)+len(c.Bars) == 0 {
			t.Errorf("%s draws nothing: %+v", c.ID, c)
		}
		for _, b := range c.Bars {
			if b.X < left-1 || b.X+b.W > right+1 || b.Y < top-1 || b.Y+b.H > floor+1 {
				t.Errorf("%s: a bar at %+v", c.ID, b)
			}
		}
		for _, l := range c.Lines {
			if strings.Contains(l.Points, "NaN") || strings.Contains(l.Points, "Inf") || strings.Contains(l.Points, "-") {
				t.Errorf("%s: %s", c.ID, l.Points)
			}
		}
	}
}

// TestStalenessOfEachMember: a line for each that counts, of the colour of its
// legend; beyond five, those of which least is known.
func TestStalenessOfEachMember(t *testing.T) {
	var h history
	start := time.Unix(1_800_000_000, 0)
	status := func(i int) cluster.Status {
		st := cluster.Status{Staleness: cluster.Staleness{Known: true, Bound: time.Second}}
		for m, name := range []string{"g", "f", "e", "d", "c", "b", "a", "gone"} {
			st.Members = append(st.Members, cluster.Member{Name: name, Origin: "of " + name, State: cluster.MemberAlive, Known: true, Staleness: time.Duration(m+1) * time.Millisecond})
		}
		st.Members[7].State = cluster.MemberLeft
		st.Members[0].Known = i < 30 // the partner of g fell silent
		return st
	}
	for i := range 60 {
		h.take(start.Add(time.Duration(i)*time.Second), status(i))
	}
	now := start.Add(59 * time.Second)
	c := stalenessChart(now, h.bins(now, rateWidth, int(span/rateWidth)), status(59))
	want := []legend{{"c2", "this node", "1.0 s"}, {"c1", "a", "7 ms"}, {"c3", "b", "6 ms"}, {"c4", "c", "5 ms"}, {"c5", "d", "4 ms"}, {"c6", "g", "unknown"}}
	if !slices.Equal(c.Legend, want) {
		t.Errorf("legend %v;\nwant %v", c.Legend, want)
	}
	points := map[string]int{}
	for _, l := range c.Lines {
		points[l.Class] += len(strings.Fields(l.Points))
	}
	if points["c2 wide"] != 12 || points["c1"] != 12 || points["c6"] != 6 {
		t.Errorf("points of each line: %v; want 12, and 6 for c6", points)
	}
	if !strings.Contains(c.Summary, "unknown of g") || strings.Contains(c.Summary, "gone") {
		t.Error(c.Summary)
	}
}

func TestShow(t *testing.T) {
	for want, got := range map[string]string{
		"0.07 ms": showDuration(71 * time.Microsecond), "1.5 ms": showDuration(1500 * time.Microsecond), "89 ms": showDuration(89 * time.Millisecond),
		"3.2 s": showDuration(3200 * time.Millisecond), "2 min 5 s": showDuration(125 * time.Second), "3 h 0 min": showDuration(3 * time.Hour), "5 days": showDuration(121 * time.Hour),
		"-": showSeconds(math.NaN()), "10 000 000": showCount(10_000_000), "999": showCount(999), "1.5 KiB": showBytes(1536), "12 346": showNumber(12345.6), "0.33": showNumber(1.0 / 3),
		"abc…": short("abcdef", 4), "äöüß": short("äöüß", 4),
	} {
		if got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
