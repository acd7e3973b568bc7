// Package helm_test renders the chart and looks at what comes out. Without helm
// on the PATH it is skipped; `.ci/step charts` installs it.
package helm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// needed are the values that have no default.
const needed = `
secret: {name: keys}
issuers: [{issuer: "https://login.example.com", algorithms: [HS256], hs256-secret-file: /etc/rescind/secrets/hs256.secret}]
`

// helm runs helm with values, and returns what it said.
func helm(t *testing.T, values string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("helm"); err != nil {
		t.Skip("helm is not on the PATH")
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("helm", append(args, "--values", file)...).CombinedOutput()
	return string(out), err
}

// render returns the chart's objects by kind and name.
func render(t *testing.T, values string) map[string]map[string]any {
	t.Helper()
	out, err := helm(t, values, "template", "r", "rescind", "--namespace", "auth", "--kube-version", "1.31.0")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	objects := map[string]map[string]any{}
	for d := yaml.NewDecoder(strings.NewReader(out)); ; {
		var o map[string]any
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		if o != nil {
			objects[at(t, o, "kind").(string)+"/"+at(t, o, "metadata", "name").(string)] = o
		}
	}
}

// at returns what is at a path of keys and indices.
func at(t *testing.T, o any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := o.(map[string]any)
			o = m[p]
		case int:
			l, _ := o.([]any)
			if p >= len(l) {
				t.Fatalf("nothing at %v", path)
			}
			o = l[p]
		}
	}
	return o
}

func TestChartIsClean(t *testing.T) {
	for name, values := range map[string]string{
		"disk": needed, "jetstream": needed + "store: {kind: jetstream, assumeSync: true}\nnats: {url: \"nats://nats:4222\"}\n",
		"all": needed + "serviceMonitor: {enabled: true}\npodLabels: {a: b}\npodAnnotations: {c: d}\nnetworkPolicy: {enabled: true, clients: [{podSelector: {}}]}\n",
	} {
		if out, err := helm(t, values, "lint", "--strict", "rescind"); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		render(t, values)
	}
}

// TestProbesSpeakTLS where the node does.
func TestProbesSpeakTLS(t *testing.T) {
	for settings, want := range map[string]string{"": "HTTP", "settings: {http: {tls-cert-file: /tls/tls.crt, tls-key-file: /tls/tls.key}}\n": "HTTPS"} {
		o := render(t, needed+settings)["StatefulSet/r-rescind"]
		for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
			if got := at(t, o, "spec", "template", "spec", "containers", 0, probe, "httpGet", "scheme"); got != want {
				t.Errorf("%q: %s speaks %v", settings, probe, got)
			}
		}
	}
}

// TestWrongValuesAreRefused before Kubernetes sees anything.
func TestWrongValuesAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"":                                  "secret.name",
		"secret: {name: keys}":              "issuers is empty",
		needed + "gossip: {enabled: false}": "neither gossip.enabled nor nats.url",
		needed + "store: {kind: jetstream}": "nats.url is empty",
		needed + "store: {kind: floppy}":    "store.kind",
		needed + "resources: {limits: {memory: 1.5Gi}}":       "whole number",
		needed + "store: {kind: disk, replicas: 2}":           "store.replicas",
		needed + "settings: {http: {addr: \"0.0.0.0:9000\"}}": "settings.http.addr",
		needed + "settings: {gossip: {bind: \"0.0.0.0:1\"}}":  "settings.gossip.bind",
		needed + "nats: {urls: [\"nats://nats:4222\"]}\n":     "urls",
	} {
		out, err := helm(t, values, "template", "r", "rescind", "--kube-version", "1.31.0")
		if err == nil || !strings.Contains(strings.ReplaceAll(out, "/", "."), want) {
			t.Errorf("%q: %v, %s; want it to speak of %s", values, err, out, want)
		}
	}
}

// TestGossipFindsPodsThatAreNotReady: else a cluster that starts cold waits for
// itself.
func TestGossipFindsPodsThatAreNotReady(t *testing.T) {
	o := render(t, needed)
	service := o["Service/r-rescind-gossip"]
	if at(t, service, "spec", "publishNotReadyAddresses") != true || at(t, service, "spec", "clusterIP") != "None" {
		t.Errorf("the service of gossip: %v", service["spec"])
	}
	set := o["StatefulSet/r-rescind"]
	if at(t, set, "spec", "podManagementPolicy") != "Parallel" || at(t, set, "spec", "serviceName") != "r-rescind-gossip" {
		t.Errorf("the stateful set: %v", set["spec"])
	}
	config := nodeConfig(t, o)
	if join := at(t, config, "gossip", "join", 0); join != "dns+r-rescind-gossip.auth.svc:7946" {
		t.Errorf("joins %v", join)
	}
}

// TestPodsAreNamedMembers where they have disks and are few enough.
func TestPodsAreNamedMembers(t *testing.T) {
	const three = "[r-rescind-0 r-rescind-1 r-rescind-2]"
	for values, want := range map[string]string{
		needed: three, needed + "replicas: 2\n": "<nil>", needed + "replicas: 12\n": "<nil>", needed + "members: false\n": "<nil>",
		needed + "settings: {cluster: {members: [a]}}\n":                                           "[a]",
		needed + "store: {kind: jetstream, assumeSync: true}\nnats: {url: \"nats://nats:4222\"}\n": "<nil>",
	} {
		if got := fmt.Sprint(at(t, nodeConfig(t, render(t, values)), "cluster", "members")); got != want {
			t.Errorf("%q: members %s, want %s", values, got, want)
		}
	}
}

func nodeConfig(t *testing.T, objects map[string]map[string]any) map[string]any {
	t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal([]byte(at(t, objects["ConfigMap/r-rescind"], "data", "node.yaml").(string)), &config); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestStatelessPodsHaveNoVolume of their own.
func TestStatelessPodsHaveNoVolume(t *testing.T) {
	o := render(t, needed+"store: {kind: jetstream, assumeSync: true}\nnats: {url: \"nats://nats:4222\"}\n")
	deployment := o["Deployment/r-rescind"]
	if deployment == nil || at(t, deployment, "spec", "volumeClaimTemplates") != nil || o["StatefulSet/r-rescind"] != nil {
		t.Errorf("want a Deployment without volumes, got %v", deployment)
	}
	if kind := at(t, nodeConfig(t, o), "store", "kind"); kind != "jetstream" {
		t.Errorf("store.kind is %v", kind)
	}
}

// TestMemoryLimit: the garbage collector is told of the container's limit.
func TestMemoryLimit(t *testing.T) {
	for limit, want := range map[string]string{"1Gi": "858993459", "512Mi": "429496729", "2G": "1600000000"} {
		pod := render(t, needed+"resources: {limits: {memory: "+limit+"}}\n")["StatefulSet/r-rescind"]
		found := false
		for _, e := range at(t, pod, "spec", "template", "spec", "containers", 0, "env").([]any) {
			if at(t, e, "name") == "GOMEMLIMIT" {
				found = at(t, e, "value") == want
			}
		}
		if !found {
			t.Errorf("with a limit of %s GOMEMLIMIT is not %s", limit, want)
		}
	}
}

// TestNodeTakesTheSettings: what the chart writes passes "rescind config check",
// with what settings adds, and with the secrets where the test can put them.
func TestNodeTakesTheSettings(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "rescind")
	if out, err := exec.Command("go", "build", "-o", binary, "rescind/cmd/node").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(binary, "keys", "generate", "--dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "hs256.secret"), bytes.Repeat([]byte("s"), 48), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string]string{
		"disk":      needed + "settings: {checks: {on-stale: reject, max-staleness: 5s}}\n",
		"jetstream": needed + "store: {kind: jetstream, assumeSync: true}\nnats: {url: \"nats://nats:4222\"}\n",
	} {
		config := at(t, render(t, values)["ConfigMap/r-rescind"], "data", "node.yaml").(string)
		file := filepath.Join(dir, "node.yaml")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(config, "/etc/rescind/secrets", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(binary, "config", "check", "--config", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, config)
		}
	}
}
