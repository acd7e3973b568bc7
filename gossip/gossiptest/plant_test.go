package gossiptest

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var plant = flag.Bool("sim.plant", false, "plant bugs and see whether TestSim finds them; some ten seconds each")

// namedBugs are changes of one line that each break a rule of named members, which
// docs/protocol.md states by their names.
var namedBugs = []bug{
	{"no W3", "gossip/named.go", "return p.named.knew[name] }", "return Incarnation{} }"},
	{"no R2", "gossip/named.go", "c.voiceOf(p, r, r.known, ", "c.voiceOf(p, r, (&Roll{}).known, "},
	{"one witness less (I1)", "gossip/whole.go", "return n.quorum.enough(s&^self) ||", "return n.quorum.enough(s) ||"},
	{"a folder that does not count acknowledges (I3)", "gossip/core.go", "r.Whole && at.Epoch == c.cfg.Epoch", "at.Epoch == c.cfg.Epoch"},
	{"received instead of durable", "gossip/vector.go", "return p.committed, p.past, true", "return p.at(), p.past, true"},
	{"the bound is as of the receipt of an echo", "gossip/named.go", "vectorEcho{sent, b.Views, r}", "vectorEcho{now, b.Views, r}"},
	{"a vector that is not held proves", "gossip/named.go", "if !c.holdsAll(e.views) {", "if c.holdsAll(nil) && len(e.views) == 0 {"},
}

type bug struct{ name, file, right, wrong string }

// bugs are changes of one line that each break a promise.
var bugs = []bug{
	{"what was recorded long ago counts as of now", "gossip/dated.go", "now-c.cfg.ForgetAfter-1), false", "now), true"},
	{"an acknowledgement counts for whoever gets it", "gossip/core.go", "if current && b.Of == c.cfg.Origin {", "if current {"},
	{"a repair is dropped", "gossip/repair.go", "c.sendTo(holder.origin, &RangeRequest{", "_ = append([]Body(nil), &RangeRequest{"},
	{"a frontier passes a hole", "gossip/stream.go", "if a.first == s.received+1 {", "if a.first > s.received {"},
	{"acknowledged before it is on disk", "gossip/vector.go", "return p.committed, p.past, true", "return p.at(), p.past, true"},
	{"pruned at the expiry, without the margin", "record.go", "now.Add(-RetentionMargin)", "now"},
	{"pruned by a clock that has jumped", "gossip/lapse.go", "min(c.wall, c.lapse.believed) + now", "c.wall + now"},
	{"clocks that jump together are believed at once", "gossip/lapse.go", "if now-l.since >= l.after {", "if now-l.since >= 0 {"},
	{"a lead is believed by its highest reading", "gossip/lapse.go", "l.believed = l.lowest", "l.believed = wall"},
	{"a jump does not begin the trial anew", "gossip/lapse.go", "if !l.ahead || contradicted || (wall-l.first).Abs() > rescind.MaxClockSkew {", "if l.lowest = wall; !l.ahead {"},
	{"a start forgets which clock was believed", "gossip/core.go", "newLapse(cfg.BelieveAfter, now, cfg.Confirmed)", "newLapse(cfg.BelieveAfter, now, wall)"},
	{"staleness concluded from what was not received", "gossip/beat.go", "if p.received < e.head {", "if p.received+1 < e.head {"},
	{"staleness concluded from the receipt of a beat", "gossip/beat.go", "p.asOf = max(p.asOf, e.sent)", "p.asOf = max(p.asOf, p.heardAt)"},
	{"comparisons are ignored", "gossip/compare.go", "if b.Hop < maxHops && len", "if b.Hop > maxHops && len"},
	{"what a member lacks is not supplied", "gossip/compare.go", "c.sendTo(s.to, m)", ""},
	{"ready before a peer has told of all streams", "gossip/beat.go", "p.told+width < p.told", "true"},
	{"a new epoch counts without its base", "gossip/peer.go", "p.based, p.known, p.lost, p.left, p.greet = false,", "p.based, p.known, p.lost, p.left, p.greet = true,"},
	{"a commit returns before the sync", "internal/store/commit.go", `s.write("commit", b.fill, pebble.Sync)`, `s.write("commit", b.fill, pebble.NoSync)`},
	{"the disk drops a bucket too early", "internal/store/commit.go", "bucketKey(0), lapsedEnd(now)", "bucketKey(0), lapsedEnd(now.Add(2*BucketWidth+rescind.RetentionMargin))"},
	{"an epoch keeps the number of the one before", "internal/store/identity.go", "b.Set(keyOwn, make([]byte, 8), nil)", "b.Merge(keyOwn, make([]byte, 8), nil)"},
}

// TestSimFindsPlantedBugs: each of them makes TestSim fail.
func TestSimFindsPlantedBugs(t *testing.T) {
	if !*plant {
		t.Skip("takes minutes; run it with -sim.plant")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for i, bug := range append(slices.Clone(bugs), namedBugs...) {
		days := []string{"-run", "^TestSim$", "-sim.seeds", "400"}
		if i >= len(bugs) {
			days = []string{"-run", "^TestSimNamed$", "-sim.named", "400"}
		}
		t.Run(strings.ReplaceAll(bug.name, " ", "_"), func(t *testing.T) {
			path := filepath.Join(root, bug.file)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), bug.right); n != 1 {
				t.Fatalf("%s has %q %d times; plant the bug anew", bug.file, bug.right, n)
			}
			wrong := overlay(t, path, strings.Replace(string(source), bug.right, bug.wrong, 1))
			args := append([]string{"test", "-overlay", wrong, "rescind/gossip/gossiptest"}, days...)
			out, err := exec.Command("go", args...).CombinedOutput()
			switch {
			case err == nil:
				t.Error("not found within 400 seeds")
			case !strings.Contains(string(out), "seed "):
				t.Errorf("failed for another reason: %s", out)
			default:
				line, _, _ := strings.Cut(string(out[strings.Index(string(out), "seed "):]), "\n")
				t.Log("found:", line)
			}
		})
	}
}

// overlay returns the name of a file that makes the go command read other text
// where it would read a file.
func overlay(t *testing.T, path, text string) string {
	t.Helper()
	dir := t.TempDir()
	other, list := filepath.Join(dir, "source.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: other}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{other: []byte(text), list: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return list
}
