package rescind_test

import (
	"cmp"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// ofTokens and ofNodes are what who verifies tokens, and who runs a node, may reach.
var (
	ofTokens = []string{"rescind", "rescind/internal/problem", "rescind/token", "rescind/token/internal/fetch", "rescind/token/internal/strict", "rescind/token/jwks", "rescind/token/statuslist"}
	ofNodes  = []string{"rescind", "rescind/filter", "rescind/gossip", "rescind/gossip/carrier", "rescind/internal/backup", "rescind/internal/natslink", "rescind/internal/onetime", "rescind/internal/sharedlog", "rescind/internal/store", "rescind/cluster"}
)

// mayImport says which of the module's packages each may reach, directly or
// through others. What is not named here may reach none.
var mayImport = map[string][]string{
	"rescind/filter":                {"rescind"},
	"rescind/gossip":                {"rescind"},
	"rescind/gossip/carrier":        {},
	"rescind/gossip/model":          {},
	"rescind/gossip/gossiptest":     {"rescind", "rescind/gossip", "rescind/filter", "rescind/internal/store"},
	"rescind/internal/store":        {"rescind"},
	"rescind/token":                 {"rescind", "rescind/internal/problem", "rescind/token/internal/fetch", "rescind/token/internal/strict", "rescind/token/jwks", "rescind/token/statuslist"},
	"rescind/token/internal/fetch":  {},
	"rescind/token/internal/strict": {"rescind"},
	"rescind/token/jwks":            {"rescind", "rescind/internal/problem", "rescind/token/internal/fetch", "rescind/token/internal/strict"},
	"rescind/token/statuslist":      {},
	"rescind/token/tokengrpc":       ofTokens,
	"rescind/cluster":               {"rescind", "rescind/filter", "rescind/gossip", "rescind/gossip/carrier", "rescind/internal/backup", "rescind/internal/natslink", "rescind/internal/onetime", "rescind/internal/sharedlog", "rescind/internal/store"},
	"rescind/cluster/faults":        {},
	"rescind/httpapi/diagnosis":     ofNodes,
	"rescind/httpapi/dashboard":     slices.Concat(ofNodes, ofTokens, []string{"rescind/httpapi/diagnosis"}),
	"rescind/internal/netns":        {},
	"rescind/httpapi":               slices.Concat(ofNodes, ofTokens, []string{"rescind/httpapi/ssf", "rescind/httpapi/diagnosis", "rescind/httpapi/dashboard"}),
	"rescind/httpapi/extauthz":      slices.Concat(ofNodes, ofTokens, []string{"rescind/httpapi", "rescind/httpapi/ssf", "rescind/httpapi/diagnosis", "rescind/httpapi/dashboard"}),
	"rescind/httpapi/ssf":           {"rescind", "rescind/internal/store"},
	"rescind/cmd/node/config":       {"rescind"},
	"rescind/cmd/node/tracing":      {},
	"rescind/cmd/node":              {"*"},
	"rescind/bench":                 {"*"},
	"rescind/bench/sets":            {"rescind", "rescind/bench/ids", "rescind/bench/progress", "rescind/bench/report", "rescind/bench/stats", "rescind/filter"},
	"rescind/bench/verify":          slices.Concat(ofTokens, []string{"rescind/bench/apitoken", "rescind/bench/ids", "rescind/bench/progress", "rescind/bench/report", "rescind/bench/stats", "rescind/filter"}),
	"rescind/bench/compare":         {"*"},
	"rescind/bench/consume":         {"*"},
	"rescind/bench/load":            {"*"},
	"rescind/bench/front":           {"*"},
	"rescind/bench/faults":          {"rescind", "rescind/bench/apitoken", "rescind/bench/ids", "rescind/bench/lag", "rescind/bench/oracle", "rescind/bench/pace", "rescind/bench/process", "rescind/bench/progress", "rescind/bench/report", "rescind/bench/stats", "rescind/gossip/carrier", "rescind/internal/netns"},
	"rescind/bench/propagation":     {"*"},
	"rescind/bench/regions":         {"*"},
	"rescind/bench/simulate":        {"*"},
	"rescind/bench/window":          {"*"},
	"rescind/bench/remote":          {"rescind"},
	"rescind/bench/apitoken":        {"rescind", "rescind/bench/ids"},
	"rescind/bench/ids":             {},
	"rescind/bench/pace":            {},
	"rescind/bench/stats":           {"rescind/bench/report"},
	"rescind/bench/link":            {},
	"rescind/bench/progress":        {},
	"rescind/bench/report":          {},
	"rescind/bench/lag":             {},
	"rescind/bench/oracle":          {},
	"rescind/bench/process":         {},
	"rescind/deploy/helm":           {},
	"rescind/deploy/recipes":        {},

	"rescind/internal/backup":          {"rescind"},
	"rescind/internal/natslink":        {},
	"rescind/internal/natstest":        {},
	"rescind/internal/problem":         {"rescind"},
	"rescind/internal/onetime":         {"rescind", "rescind/internal/natslink"},
	"rescind/internal/sharedlog":       {"rescind", "rescind/internal/natslink", "rescind/internal/store"},
	"rescind/internal/store/storetest": {"rescind", "rescind/internal/store"},
}

// leaves are small packages of the module that reach none and that each may reach.
var leaves = []string{"rescind/internal/timing", "rescind/internal/admission", "rescind/internal/natslogin", "rescind/internal/segments", "rescind/internal/identity"}

// withoutGRPC are the packages that people embed who serve HTTP only.
var withoutGRPC = []string{"rescind", "rescind/token", "rescind/cluster", "rescind/httpapi"}

// TestImportsPointOneWay keeps the architecture: filter, gossip, token and
// store know nothing of each other, and the vocabulary only the standard
// library.
func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Deps \",\"}}", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		path, deps, _ := strings.Cut(strings.TrimSpace(line), " ")
		allowed := mayImport[path]
		for dep := range strings.SplitSeq(deps, ",") {
			ours := dep == "rescind" || strings.HasPrefix(dep, "rescind/")
			if ours && !slices.Contains(leaves, dep) && !slices.Contains(allowed, dep) && !slices.Contains(allowed, "*") {
				t.Errorf("%s reaches %s", path, dep)
			}
			if strings.HasPrefix(dep, "google.golang.org/grpc") && slices.Contains(withoutGRPC, path) {
				t.Errorf("%s reaches %s", path, dep)
			}
			if path == "rescind" && strings.Contains(strings.Split(dep, "/")[0], ".") {
				t.Errorf("the vocabulary imports %s", dep)
			}
		}
		if _, known := mayImport[path]; !known && !slices.Contains(leaves, path) && path != "rescind" {
			t.Errorf("%s is not in the table of this test: where does it belong?", path)
		}
	}
}

// TestArchitectureNamesImports keeps the tables of docs/architecture.md true.
func TestArchitectureNamesImports(t *testing.T) {
	doc, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \",\"}}", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		var ours []string
		for dep := range strings.SplitSeq(imports, ",") {
			if dep == "rescind" || strings.HasPrefix(dep, "rescind/") {
				ours = append(ours, "`"+strings.TrimPrefix(dep, "rescind/")+"`")
			}
		}
		want := cmp.Or(strings.Join(ours, ", "), "nothing")
		if slices.Contains(mayImport[path], "*") {
			want = "all of a node"
		}
		row := "| `" + strings.TrimPrefix(path, "rescind/") + "` | "
		_, rest, found := strings.Cut(string(doc), row)
		rest, _, _ = strings.Cut(rest, " |\n")
		if _, got, _ := strings.Cut(rest, " | "); !found || got != want {
			t.Errorf("docs/architecture.md says that %s imports %q; it imports %s", path, got, want)
		}
	}
}
