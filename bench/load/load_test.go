package load

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rescind/bench/oracle"
	"rescind/bench/report"
	"rescind/bench/window"
	"rescind/token"
)

func TestParseLoadMix(t *testing.T) {
	if mix, err := parseLoadMix(standardMix); err != nil || mix[opCheck] != 0.95 || mix[opEverywhere] != 0.004 {
		t.Errorf("%v, %v", mix, err)
	}
	for _, bad := range []string{"", "check", "check=x", "check=-1", "check=NaN", "check=101", "nap=1", "check=60,login=50", "check=1,check=1"} {
		if mix, err := parseLoadMix(bad); err == nil {
			t.Errorf("%q is %v", bad, mix)
		}
	}
}

const testWindow = 2 * time.Second

// busyMix ends many sessions.
var busyMix = map[string]float64{opCheck: 0.7, opLogin: 0.1, opRefresh: 0.08, opLogout: 0.08, opEverywhere: 0.04}

func siteOf(t *testing.T, c localCluster) *loadSite {
	t.Helper()
	var err error
	if c.keys == nil {
		if c.keys, err = token.GenerateKeySet(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func drive(t *testing.T, s *loadSite, window time.Duration) *driver {
	t.Helper()
	d := newDriver(s, window, busyMix, 40)
	if err := d.logInAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.run(t.Context(), 300, 450); err != nil {
		t.Fatal(err)
	}
	d.sweep(t.Context())
	if d.tally.Total() < 500 {
		t.Fatalf("only %d answers", d.tally.Total())
	}
	return d
}

// A healthy cluster gives no wrong answer, and there were log-outs to get wrong.
func TestLoadOfAHealthyCluster(t *testing.T) {
	d := drive(t, siteOf(t, localCluster{Group: window.Group{Carriers: "gossip", Nodes: 3}}), 2*time.Second)
	if d.tally.Wrong() != 0 || d.first != nil {
		t.Errorf("%d wrong answers: %v; first failure: %v", d.tally.Wrong(), d.tally.Examples(), d.first)
	}
	if n := len(d.book.over); n < 20 {
		t.Errorf("only %d tokens were logged out", n)
	}
}

// A node that is cut off goes on serving: what it accepts after the window is seen,
// and blamed on it alone. Its own words agree: it states more than the window.
func TestLoadSeesANodeThatIsCutOff(t *testing.T) {
	tap := &window.Tap{}
	defer tap.Close()
	g := window.Group{Carriers: "nats", Nodes: 3, Detour: func(i int, url string) (string, error) {
		if i != 1 {
			return url, nil
		}
		return tap.Listen(url)
	}}
	s := siteOf(t, localCluster{Group: g})
	tap.Drop.Store(true)
	d := drive(t, s, testWindow)
	if d.tally.Of(oracle.Accepted) == 0 {
		t.Error("no revoked token got through, or none was seen to")
	}
	for _, e := range d.tally.Examples() {
		if !strings.HasPrefix(e, "node 2 ") {
			t.Errorf("blamed: %s", e)
		}
	}
	if st := s.nodes[1].Staleness(); st.Known && st.Bound < testWindow {
		t.Errorf("the node that is cut off states %v", st.Bound)
	}
	if d.lag.get() < testWindow {
		t.Errorf("accepted at most %v late", d.lag.get())
	}
	tap.Drop.Store(false)
}

// Each kind of wrong answer is counted as what it is, by either face.
func TestLoadCountsWrongAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		want   oracle.Verdict
	}{
		"accepts everything": {http.StatusOK, oracle.Accepted},
		"refuses everything": {http.StatusUnauthorized, oracle.Refused},
		"answers nothing":    {http.StatusServiceUnavailable, oracle.Withheld},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var answered atomic.Int64
			s := siteOf(t, localCluster{Group: window.Group{Carriers: "gossip", Nodes: 2}, tamper: func(i int, h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if i == 0 && (r.URL.Path == facePath || r.URL.Path == middlewarePath) {
						answered.Add(1)
						w.WriteHeader(c.status)
						return
					}
					h.ServeHTTP(w, r)
				})
			}})
			d := drive(t, s, testWindow)
			if d.tally.Of(c.want) == 0 || d.tally.Wrong() < d.tally.Of(c.want) || answered.Load() == 0 {
				t.Errorf("%d of %d answers are called wrong, %d of them as %v", d.tally.Wrong(), d.tally.Total(), d.tally.Of(c.want), c.want)
			}
			var out bytes.Buffer
			r := report.New("load")
			if err := (settings{window: testWindow}).print(&out, d, time.Second, r); err == nil || r.Figures["load.violations"] != float64(d.tally.Wrong()) {
				t.Errorf("the run ends with %v and %v violations", err, r.Figures["load.violations"])
			}
		})
	}
}

// A cluster that runs elsewhere is reached by URLs alone, with tokens made here.
func TestLoadOfARunningCluster(t *testing.T) {
	dir := t.TempDir()
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	c := runningCluster{issuer: demoIssuer, keysFile: filepath.Join(dir, "issuer.jwks"), adminFile: filepath.Join(dir, "admin")}
	if err := keys.Save(c.keysFile); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.adminFile, []byte("an-admin-token-for-this-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	there := siteOf(t, localCluster{Group: window.Group{Carriers: "gossip", Nodes: 2}, keys: keys, admin: "an-admin-token-for-this-test"})
	c.urls = strings.Join(there.urls, ", ")
	here, err := c.site()
	if err != nil {
		t.Fatal(err)
	}
	defer here.close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := here.await(ctx); err != nil {
		t.Fatal(err)
	}
	d := drive(t, here, 2*time.Second)
	if d.tally.Wrong() != 0 || d.first != nil {
		t.Errorf("%d wrong answers: %v; first failure: %v", d.tally.Wrong(), d.tally.Examples(), d.first)
	}
}
