package report

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// TestWrittenFilesComeBack: the figures are where scripts look for them, and
// the file can be read again.
func TestWrittenFilesComeBack(t *testing.T) {
	dir := t.TempDir()
	r := New("propagation")
	r.Settings("rate", 200)
	r.Set("window.lost", 0)
	r.Rounds("window.nats.n5.p50_ms", []float64{3, 1, 2})
	r.Heading("The <window>")
	r.Table(Table{Columns: []string{"carrier", "p50"}, Rows: [][]string{{"nats", "2"}}})
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	r.Output.Flags(fs)
	if err := fs.Parse([]string{"--json", filepath.Join(dir, "a.json"), "--out", filepath.Join(dir, "a.html")}); err != nil {
		t.Fatal(err)
	}
	if err := r.Output.Write(r); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "a.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Machine  map[string]any
		Versions []Module
		Settings map[string]any
		Figures  map[string]float64
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Machine["cpus"].(float64) < 1 || doc.Settings["rate"] != 200.0 || doc.Figures["window.nats.n5.p50_ms"] != 2 {
		t.Errorf("the file says %+v", doc)
	}
	if v, there := doc.Figures["window.lost"]; !there || v != 0 {
		t.Error("a figure of 0 is missing")
	}
	back, err := Read(filepath.Join(dir, "a.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Blocks) != 2 || back.Samples["window.nats.n5.p50_ms"][0] != 3 || !back.Machine.Same(r.Machine) {
		t.Errorf("what came back is %+v", back)
	}
	html, err := os.ReadFile(filepath.Join(dir, "a.html"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(html), "The &lt;window&gt;") {
		t.Error("the heading is missing, or not escaped")
	}
}

func TestDistributionCountsWhatIsLost(t *testing.T) {
	h := hdrhistogram.New(1, 10_000_001, 3)
	for i := range int64(90) {
		if err := h.RecordValue(1000 + i); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.RecordValues(10_000_000, 10); err != nil {
		t.Fatal(err)
	}
	d := FromHistogram("nats", h, 1000, 10, 10_000_000)
	if d.Total() != 100 || d.Max() != 10_000 {
		t.Errorf("%d samples up to %v ms", d.Total(), d.Max())
	}
	if v, lost := d.At(0.9); v > 1.1 || lost {
		t.Errorf("p90 is %v, lost %v", v, lost)
	}
	if v, lost := d.At(0.91); v != 10_000 || !lost {
		t.Errorf("p91 is %v, lost %v", v, lost)
	}
	both := d.Merge(FromValues("", []float64{1, 10_000}, 1, 10_000))
	if both.Total() != 102 || both.Lost != 11 || both.Values[0] != 1 {
		t.Errorf("merged: %+v", both)
	}
}

func TestSpreadCurveReachesOneOnlyIfAllHeard(t *testing.T) {
	whole := NewSpreadCurve("", [][]float64{{1, 2, 3, 4}, {4, 3, 2, 1}}, 4)
	if n := len(whole.Times); whole.Median[n-1] != 1 || whole.Low[n-1] != 1 || whole.Median[0] != 0.25 {
		t.Errorf("all heard: %+v", whole)
	}
	partly := NewSpreadCurve("", [][]float64{{1, 2}, {1, 2}}, 4)
	if n := len(partly.Times); partly.High[n-1] != 0.5 {
		t.Errorf("half heard: %+v", partly)
	}
	if none := NewSpreadCurve("", nil, 4); len(none.Times) != 0 {
		t.Errorf("nothing was sent: %+v", none)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.01234: "0.0123", 0.0004: "0.0004", 0.09999: "0.1", 0.5: "0.5", 1: "1", 4.567: "4.57", 12.04: "12", 99.96: "100", 123.4: "123", 1234567: "1,234,567", -1234: "-1,234", 1e-9: "1e-09",
	} {
		if got := Number(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

func TestDirection(t *testing.T) {
	r := New("x")
	r.Better["front.rescind.ratio.nginx"] = Higher
	for name, want := range map[string]Better{
		"window.nats.n5.p50_ms": Lower, "check.1M.g1.ns": Lower, "check.false_negatives": Lower, "front.rescind.per_second": Higher,
		"front.rescind.ratio.nginx": Higher, "x.ratio.redis": Unknown, "sim.seeds": Unknown, "load.violations": Lower, "load.rps": Higher,
	} {
		if got := r.Direction(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestNumericColumns(t *testing.T) {
	table := Table{Columns: []string{"", "words", "numbers", "none", "empty"}, Rows: [][]string{{"a", "each", "≥ 3,000", "-", ""}, {"b", "12 and more words", "-", "-", ""}, {"c", "last", "0.5-0.7", "-", ""}}}
	for i, want := range []bool{false, false, true, true, false} {
		if table.Numeric(i) != want {
			t.Errorf("column %d: %v", i, !want)
		}
	}
}
