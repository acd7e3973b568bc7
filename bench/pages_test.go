package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rescind/bench/report"
)

// TestCommandsFillTheirPages runs each command as small as it gets. The names of
// figures are a contract; what they are is not tested.
func TestCommandsFillTheirPages(t *testing.T) {
	for _, c := range []struct {
		args    []string
		figures []string
		zero    []string
		rounds  []string
	}{
		{
			[]string{"propagation", "--nodes", "2", "--rate", "100", "--duration", "200ms", "--warm-up", "50ms", "--rounds", "1", "--carriers", "gossip,both", "--rivals=false", "--scopes", "jti=1,sid=1,sub=1", "--id-bytes", "36"},
			[]string{"window.gossip.n2.p50_ms", "window.gossip.n2.p90_ms", "window.gossip.n2.each.p90_ms", "window.acknowledged.p50_ms", "window.refused.p50_ms"}, []string{"window.lost"}, []string{"window.gossip.n2.p50_ms"},
		},
		{[]string{"memory", "--entries", "1000", "--curve", "1000"}, []string{"memory.1000.bytes_per_entry", "memory.1000.gc_ms", "memory.curve.1000.rescind.bytes_per_entry", "memory.curve.1000.map.bytes_per_entry"}, nil, nil},
		{[]string{"simulate", "--seeds", "2", "--nodes", "10,100", "--real", "0"}, []string{"sim.seeds", "scale.both.n100.loss1.model.p99_ms", "scale.nats.n10.loss0.model.last.p99_ms"}, []string{"sim.violations"}, nil},
		{[]string{"verify", "--rounds", "1", "--tokens", "2", "--repeats", "2", "--revoked", "10"}, []string{"verify.cached.es256.ratio.golang_jwt", "verify.first.hs256.ns"}, nil, []string{"verify.first.hs256.ns"}},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			dir := t.TempDir()
			file, page := filepath.Join(dir, "figures.json"), filepath.Join(dir, "report.html")
			if err := commands()[c.args[0]].measure(t.Context(), c.args[0], append(c.args[1:], "--json", file, "--out", page)); err != nil {
				t.Fatal(err)
			}
			r, err := report.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range c.figures {
				if r.Figures[name] <= 0 {
					t.Errorf("%s is %v", name, r.Figures[name])
				}
			}
			for _, name := range c.zero {
				if v, there := r.Figures[name]; !there || v != 0 {
					t.Errorf("%s is %v (there: %v)", name, v, there)
				}
			}
			for _, name := range c.rounds {
				if len(r.Samples[name]) != 1 {
					t.Errorf("%s has rounds %v", name, r.Samples[name])
				}
			}
			html, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(html, []byte("<svg")) || bytes.Contains(html, []byte("NaN")) {
				t.Error("the page has no plot, or one of what is no number")
			}
		})
	}
}

// TestQuickFlagsAreKnown: bench all runs each part with flags that it has.
func TestQuickFlagsAreKnown(t *testing.T) {
	names := parts(true)
	if slices.Contains(names, "regions") || !slices.Contains(parts(false), "regions") {
		t.Error("regions takes a minute: it is for the long page")
	}
	for _, name := range []string{"propagation", "check", "memory", "verify", "simulate"} {
		if !slices.Contains(names, name) {
			t.Errorf("bench all leaves %s out", name)
		}
	}
	if names[0] != "propagation" {
		t.Errorf("the page begins with %s", names[0])
	}
	for _, name := range parts(false) {
		c := commands()[name]
		err := c.run(t.Context(), append(slices.Clone(c.quick), "stray"), report.New(name))
		if err == nil || !strings.Contains(err.Error(), `"stray"`) {
			t.Errorf("bench %s %v: %v", name, c.quick, err)
		}
	}
}

// TestOnePageFromSeveralFiles: figures and settings of parts are found in the
// whole, and a page is made from files.
func TestOnePageFromSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	whole := report.New("all")
	var files []string
	for _, name := range []string{"propagation", "check"} {
		r := report.New(name)
		r.Title = "The part " + name
		r.Settings("rate", 200)
		r.Rounds(name+".p50_ms", []float64{1, 2, 3})
		file := filepath.Join(dir, name+".json")
		if err := (report.Output{JSON: file}).Write(r); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		whole.Include(r)
	}
	if whole.Figures["check.p50_ms"] != 2 || len(whole.Samples["propagation.p50_ms"]) != 3 || whole.Setting["check.rate"] != 200 {
		t.Errorf("%v, %v", whole.Figures, whole.Setting)
	}
	fromWhole, fromFiles := filepath.Join(dir, "whole.html"), filepath.Join(dir, "files.html")
	if err := (report.Output{HTML: fromWhole, JSON: filepath.Join(dir, "whole.json")}).Write(whole); err != nil {
		t.Fatal(err)
	}
	if err := runPage(t.Context(), append([]string{"--out", fromFiles}, files...), report.New("page")); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(fromWhole)
	b, _ := os.ReadFile(fromFiles)
	for _, part := range []string{"The part propagation", "The part check"} {
		if !bytes.Contains(a, []byte(part)) || !bytes.Contains(b, []byte(part)) {
			t.Errorf("a page lacks %q", part)
		}
	}
	var doc struct{ Figures map[string]float64 }
	text, err := os.ReadFile(filepath.Join(dir, "whole.json"))
	if err == nil {
		err = json.Unmarshal(text, &doc)
	}
	if err != nil || len(doc.Figures) != 2 {
		t.Errorf("%v: %v", err, doc.Figures)
	}
}
