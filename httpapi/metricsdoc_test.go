package httpapi

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var updateMetrics = flag.Bool("update-metrics", false, "write the table of docs/metrics.md anew")

const (
	metricsDoc   = "../docs/metrics.md"
	metricsTable = "<!-- the table is made by: go test ./httpapi -run TestMetricsAreDocumented -update-metrics -->\n"
)

var describedAs = regexp.MustCompile(`^Desc\{fqName: "(rescind_\w+)", help: (".*"), constLabels: \{\}, variableLabels: \{(.*)\}\}$`)

// TestMetricsAreDocumented holds the table of docs/metrics.md against what the
// node's registry holds, also what it exports only where it is configured.
func TestMetricsAreDocumented(t *testing.T) {
	r := newRig(t)
	r.node.status = fullStatus()
	exported := scrape(t, r)
	var rows []string
	for _, d := range describedBy(r.api.metrics.registry) {
		m := describedAs.FindStringSubmatch(d)
		if m == nil {
			if strings.Contains(d, `"rescind_`) {
				t.Fatalf("a description in another form: %s", d)
			}
			continue
		}
		var help string
		if _, err := fmt.Sscanf(m[2], "%q", &help); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", m[1], kindOfMetric(exported, m[1]), strings.ReplaceAll(m[3], ",", ", "), help))
	}
	slices.Sort(rows)
	table := "| metric | kind | labels | says |\n|---|---|---|---|\n" + strings.Join(rows, "")
	for name := range namesIn(exported) {
		if strings.HasPrefix(name, "rescind_") && !strings.Contains(table, "| `"+name+"` |") {
			t.Errorf("%s is exported and not described", name)
		}
	}
	doc, err := os.ReadFile(metricsDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(doc), metricsTable)
	want := before + metricsTable + table
	if *updateMetrics {
		if err := os.WriteFile(metricsDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(doc) != want {
		t.Error("docs/metrics.md does not say what a node exports; run: go test ./httpapi -run TestMetricsAreDocumented -update-metrics")
	}
}

func describedBy(c prometheus.Collector) (descs []string) {
	ch := make(chan *prometheus.Desc)
	go func() { defer close(ch); c.Describe(ch) }()
	for d := range ch {
		descs = append(descs, d.String())
	}
	return descs
}

// namesIn returns the metrics of a page, each with its kind.
func namesIn(page string) map[string]string {
	names := map[string]string{}
	for line := range strings.Lines(page) {
		if f := strings.Fields(line); len(f) == 4 && f[1] == "TYPE" {
			names[f[2]] = f[3]
		}
	}
	return names
}

// kindOfMetric is what the page says or, of a metric that is not on it, what the
// name does.
func kindOfMetric(page, name string) string {
	if kind := namesIn(page)[name]; kind != "" {
		return kind
	}
	if strings.HasSuffix(name, "_total") {
		return "counter"
	}
	return "gauge"
}
