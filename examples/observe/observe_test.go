// Package observe holds the alert rules and the dashboard of deploy/observe against
// what running nodes export. It is in the module of the examples, so that who
// embeds Rescind does not get Prometheus.
package observe

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// rules is a file of alerts.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert       string
			Expr        string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

func read(t *testing.T, path string, decode func([]byte, any) error, to any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = decode(b, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// expressions returns those of the alerts and of the dashboard by where they stand.
func expressions(t *testing.T) map[string]string {
	all := map[string]string{}
	var r rules
	read(t, "../../deploy/observe/rules.yml", yaml.Unmarshal, &r)
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			all["alert "+rule.Alert] = rule.Expr
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	read(t, "../../deploy/observe/grafana/dashboards/rescind.json", json.Unmarshal, &dashboard)
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__all", ".*")
	for _, p := range dashboard.Panels {
		for i, q := range p.Targets {
			all["panel "+p.Title+" "+string(rune('A'+i))] = variables.Replace(q.Expr)
		}
	}
	for _, v := range dashboard.Templating.List {
		if m := regexp.MustCompile(`^label_values\((.+), \w+\)$`).FindStringSubmatch(v.Query); m != nil {
			all["variable "+v.Name] = m[1]
		}
	}
	if len(all) < 80 {
		t.Errorf("only %d expressions", len(all))
	}
	return all
}

// TestEveryMetricExists parses every expression and looks for each metric that it
// names, with the labels by which it selects and groups, among what nodes export.
func TestEveryMetricExists(t *testing.T) {
	exported := scrapeNodes(t)
	p := parser.NewParser(parser.Options{})
	for where, expr := range expressions(t) {
		parsed, err := p.ParseExpr(expr)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		var named int
		parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
			v, ok := n.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			named++
			have, found := exported[v.Name]
			if !found {
				t.Errorf("%s names %s, which no node exports", where, v.Name)
				return nil
			}
			for _, m := range v.LabelMatchers {
				if m.Name != labels.MetricName && !have[m.Name] {
					t.Errorf("%s: %s has no label %s", where, v.Name, m.Name)
				}
			}
			return nil
		})
		if named == 0 {
			t.Errorf("%s names no metric", where)
		}
	}
}

// TestEveryAlertSaysWhatToDo, and has a case in which it fires and one in which it
// does not, which promtool runs.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	var r rules
	read(t, "../../deploy/observe/rules.yml", yaml.Unmarshal, &r)
	var cases struct {
		Tests []struct {
			Expr []struct {
				Expr    string
				Samples []any `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		}
	}
	read(t, "../../deploy/observe/rules_test.yml", yaml.Unmarshal, &cases)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		for _, e := range c.Expr {
			if m := regexp.MustCompile(`alertname="(\w+)"`).FindStringSubmatch(e.Expr); m != nil && len(e.Samples) > 0 {
				fires[m[1]] = true
			} else if m != nil {
				silent[m[1]] = true
			}
		}
	}
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			for _, a := range []string{"summary", "means", "do"} {
				if rule.Annotations[a] == "" {
					t.Errorf("%s has no %s", rule.Alert, a)
				}
			}
			if s := rule.Labels["severity"]; s != "critical" && s != "warning" && s != "info" {
				t.Errorf("%s has the severity %q", rule.Alert, s)
			}
			if !fires[rule.Alert] || !silent[rule.Alert] {
				t.Errorf("%s: fires in a test: %v, is silent in one: %v", rule.Alert, fires[rule.Alert], silent[rule.Alert])
			}
		}
	}
}

// scrapeNodes returns the labels of every metric that two kinds of node export:
// those of 'dev', which have peers and an issuer, and one of 'serve', which has
// settings, a certificate and keys at a URL.
func scrapeNodes(t *testing.T) map[string]map[string]bool {
	dir := t.TempDir()
	rescind := filepath.Join(dir, "rescind")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", rescind, "./cmd/node")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := filepath.Join(dir, "node.yaml")
	cert, key, client := certificate(t, dir)
	settings := "http: {addr: 127.0.0.1:0, tls-cert-file: " + cert + ", tls-key-file: " + key + "}\ndata: {dir: " + filepath.Join(dir, "data") + "}\n" +
		"tokens:\n  issuers:\n    - {issuer: https://issuer.example, audience: [api], algorithms: [ES256], jwks-url: http://localhost:1/jwks}\n"
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]bool{"up": {"job": true, "instance": true}}
	dev := start(t, rescind, "dev", "--nodes", "2", "--http", "127.0.0.1:0", "--data", filepath.Join(dir, "dev"))
	scrape(t, http.DefaultClient, "http://"+dev, found)
	scrape(t, client, "https://"+start(t, rescind, "serve", "--config", config), found)
	return found
}

// certificate returns the files of one for 127.0.0.1, and a client that trusts it.
func certificate(t *testing.T, dir string) (cert, key string, client *http.Client) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	pair := s.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", pair.Certificate[0]), write("key.pem", "PRIVATE KEY", private), s.Client()
}

var address = regexp.MustCompile(`http(?:://|=)(127\.0\.0\.1:\d+)`)

// start runs a command until the test ends, and returns the first address at which
// it says that it serves.
func start(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		r.Close()
	})
	lines := bufio.NewScanner(r)
	var said strings.Builder
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, r) // ends with the process
			return m[1]
		}
	}
	t.Fatalf("%s told no address:\n%s", args[0], said.String())
	return ""
}

var series = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? \S+$`)

// scrape adds the metrics of the node at base, once there are any.
func scrape(t *testing.T, client *http.Client, base string, found map[string]map[string]bool) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(30 * time.Second); ; {
		resp, err := client.Get(base + "/metrics")
		if err == nil {
			page, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			// A window needs a peer, and so does its label.
			if err == nil && (len(found) == 1) == strings.Contains(string(page), "rescind_staleness_seconds{") {
				collect(string(page), found)
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no metrics at %s: %v", base, err)
		}
		<-poll.C
	}
}

func collect(page string, found map[string]map[string]bool) {
	label := regexp.MustCompile(`(\w+)="`)
	for line := range strings.Lines(page) {
		m := series.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		if found[m[1]] == nil {
			found[m[1]] = map[string]bool{"job": true, "instance": true} // those of Prometheus itself
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			found[m[1]][l[1]] = true
		}
	}
}
