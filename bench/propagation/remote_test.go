package propagation

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rescind/bench/report"
)

// devCluster runs 'node dev' as people do and returns the URLs that it prints,
// a file with its admin token and one with its issuer's keys.
func devCluster(t *testing.T) (urls []string, adminFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "node")
	if out, err := exec.Command("go", "build", "-o", program, "rescind/cmd/node").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	ctx, stop := context.WithCancel(context.Background())
	data := filepath.Join(dir, "data")
	cmd := exec.CommandContext(ctx, program, "dev", "--nodes", "3", "--http", "127.0.0.1:0", "--data", data)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was interrupted
	})
	node, admin := regexp.MustCompile(`^  node\d+  (http://\S+)`), regexp.MustCompile(`/v1/cluster -H "Authorization: Bearer (\S+)"`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := node.FindStringSubmatch(lines.Text()); m != nil {
			urls = append(urls, m[1])
		}
		if m := admin.FindStringSubmatch(lines.Text()); m != nil {
			adminFile = filepath.Join(dir, "admin")
			if err := os.WriteFile(adminFile, []byte(m[1]+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return urls, adminFile, filepath.Join(data, "issuer.jwks")
		}
	}
	t.Fatal("node dev has ended without a word about its admin token")
	return nil, "", ""
}

// TestPropagationOfARunningCluster measures a cluster of three by HTTP, by
// acknowledgement and by the first refusal of a token that it accepted.
func TestPropagationOfARunningCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the program")
	}
	urls, admin, keys := devCluster(t)
	args := []string{"--nodes", strings.Join(urls, ","), "--admin-token-file", admin, "--rate", "50", "--duration", "500ms", "--warm-up", "100ms", "--rounds", "2", "--time-out", "5s"}
	withKeys := append(args, "--signing-key-file", keys, "--issuer", "https://demo.rescind.invalid", "--scopes", "jti=2,sid=1,sub=1")

	t.Run("real tokens", func(t *testing.T) {
		r := report.New("propagation")
		if err := Run(t.Context(), withKeys, r); err != nil {
			t.Fatal(err)
		}
		for _, zero := range []string{"window.lost", "window.remote.failed"} {
			if v, there := r.Figures[zero]; !there || v != 0 {
				t.Errorf("%s is %v", zero, v)
			}
		}
		for _, name := range []string{"acknowledged.p50_ms", "acknowledged.each.p99_ms", "refused.p50_ms", "refused.each.max_ms", "check_p50_ms"} {
			if v := r.Figures["window.remote."+name]; v <= 0 || v > 5000 {
				t.Errorf("%s is %v", name, v)
			}
		}
		if n := len(r.Samples["window.remote.refused.p50_ms"]); n != 2 {
			t.Errorf("%d rounds", n)
		}
		var maps, shares int
		for _, b := range r.Blocks {
			if b.HeatMap != nil && len(b.HeatMap.Rows) == 3 && len(b.HeatMap.Columns) == 3 {
				maps++
			}
			if b.Shares != nil {
				shares++
			}
		}
		if maps != 1 || shares != 1 {
			t.Errorf("%d maps of pairs, %d plots of carriers", maps, shares)
		}
	})
	t.Run("acknowledgements alone, of a node without URL too", func(t *testing.T) {
		r := report.New("propagation")
		two := append([]string{"--nodes", strings.Join(urls[:2], ",")}, args[2:]...)
		if err := Run(t.Context(), two, r); err != nil {
			t.Fatal(err)
		}
		if r.Figures["window.lost"] != 0 || r.Figures["window.remote.acknowledged.p50_ms"] <= 0 {
			t.Errorf("%v", r.Figures)
		}
		if _, there := r.Figures["window.remote.refused.p50_ms"]; there {
			t.Error("refusals were measured without tokens")
		}
		for _, b := range r.Blocks {
			if b.HeatMap != nil && (len(b.HeatMap.Rows) != 2 || len(b.HeatMap.Columns) != 3) {
				t.Errorf("the map is %d by %d", len(b.HeatMap.Rows), len(b.HeatMap.Columns))
			}
		}
	})
	t.Run("tokens that nobody trusts", func(t *testing.T) {
		r := report.New("propagation")
		foreign := append(withKeys, "--issuer", "https://other.example", "--time-out", "300ms", "--rounds", "1")
		err := Run(t.Context(), foreign, r)
		if err == nil || !strings.Contains(err.Error(), "--issuer") {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("a wrong admin token", func(t *testing.T) {
		wrong := filepath.Join(t.TempDir(), "wrong")
		if err := os.WriteFile(wrong, []byte("something-else"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Run(t.Context(), append(args, "--admin-token-file", wrong), report.New("propagation"))
		if err == nil || strings.Contains(err.Error(), "something-else") {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("the same node twice", func(t *testing.T) {
		err := Run(t.Context(), append(args, "--nodes", urls[0]+","+urls[0]), report.New("propagation"))
		if err == nil || !strings.Contains(err.Error(), "load balancer") {
			t.Errorf("error: %v", err)
		}
	})
}
