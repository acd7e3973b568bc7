package faults

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/httpapi/diagnosis"
	"rescind/internal/netns"
)

var (
	paths      = flag.Bool("faults.paths", false, "try faults of the network between two nodes")
	writeTable = flag.Bool("write-networks", false, "write docs/networks.md from what was seen")
)

// TestMain also serves as a node, to be run inside a host of a network.
func TestMain(m *testing.M) {
	if config := os.Getenv("FAULTS_NODE"); config != "" {
		if err := runNode([]byte(config)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// nodeConfig is what a node of a path test is told.
type nodeConfig struct{ Name, Dir, Bind, Advertise, Join string }

const (
	pathsIssuer = "https://paths.rescind.invalid"
	pathsKey    = "0123456789abcdef0123456789abcdef"
)

// runNode runs a node and serves its state at the loopback of its host.
func runNode(config []byte) error {
	var c nodeConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	cfg := cluster.Config{
		Name: c.Name, DataDir: c.Dir, Key: []byte(pathsKey), JoinTimeout: 5 * time.Second, Bootstrap: c.Join == "",
		Gossip: &cluster.Gossip{Bind: c.Bind, Advertise: c.Advertise},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if c.Join != "" {
		cfg.Gossip.Join = []string{c.Join}
	}
	n, err := cluster.Start(cfg)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/state", func(w http.ResponseWriter, _ *http.Request) {
		status := n.Status()
		var names []string
		for _, p := range diagnosis.Problems(diagnosis.View{Status: status}) {
			names = append(names, p.Name+": "+p.What)
		}
		_ = json.NewEncoder(w).Encode(state{status.Ready, status.Staleness.Known, status.Staleness.Bound, status.Total, names})
	})
	mux.HandleFunc("/revoke", func(w http.ResponseWriter, r *http.Request) {
		key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: pathsIssuer, ID: r.FormValue("id")}
		if _, err := n.Revoke(r.Context(), rescind.Revocation{Key: key}, rescind.AckLocal); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/check", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, n.Check(rescind.Token{Issuer: pathsIssuer, ID: r.FormValue("id")}))
	})
	server := &http.Server{Addr: httpAddr, Handler: mux, ReadHeaderTimeout: time.Second}
	return server.ListenAndServe()
}

type state struct {
	Ready, Known bool
	Bound        time.Duration
	Total        int
	Problems     []string
}

// pathCase is a fault of the network between a node that holds revocations and one
// that is new.
type pathCase struct {
	name      string
	fault     [][]string // commands, in both hosts
	only      int        // in which host alone; -1: in both
	advertise string     // of the newcomer
	converges bool
	told      string // part of what one of the two says; empty: nothing needs to be said
}

const gossipTestPort = "7946"

func block(protocol string) []string {
	return []string{"iptables", "-w", "-A", "INPUT", "-p", protocol, "--dport", gossipTestPort, "-j", "DROP"}
}

var pathCases = []pathCase{
	{name: "none", only: -1, converges: true},
	{name: "UDP closed, TCP open", fault: [][]string{block("udp")}, only: -1, converges: true, told: "UDP to it, UDP from it"},
	{name: "UDP closed towards the newcomer", fault: [][]string{block("udp")}, only: 1, converges: true, told: "UDP"},
	{name: "UDP closed from the newcomer", fault: [][]string{block("udp")}, only: 0, converges: true, told: "UDP"},
	{name: "TCP closed, UDP open", fault: [][]string{block("tcp")}, only: -1, told: "joining needs TCP"},
	{name: "TCP closed towards the newcomer", fault: [][]string{block("tcp")}, only: 1, converges: true, told: "TCP"},
	{name: "segments above 1,280 bytes vanish", fault: [][]string{
		{"ip", "link", "set", "eth0", "gso_max_segs", "1"},
		{"iptables", "-w", "-A", "INPUT", "-p", "tcp", "-m", "length", "--length", "1281:65535", "-j", "DROP"},
	}, only: -1, converges: true},
	{name: "a wrong gossip.advertise", only: -1, advertise: "10.77.0.99:7946", told: "10.77.0.99:7946"},
	{name: "20 % loss", fault: [][]string{{"iptables", "-w", "-A", "INPUT", "-i", "eth0", "-m", "statistic", "--mode", "random", "--probability", "0.2", "-j", "DROP"}}, only: -1, converges: true},
}

// pathRecords are more than fit one message of 64 KiB.
const pathRecords = 3000

// TestPaths: faults of the network between two nodes. A newcomer that becomes ready
// holds everything; it states no staleness that is smaller than the truth; and what
// does not get through is named.
func TestPaths(t *testing.T) {
	if why := netns.Missing(); why != "" {
		t.Skip(why)
	}
	if !*paths {
		t.Skip("takes minutes: -faults.paths")
	}
	rows := make([]string, 0, len(pathCases))
	for _, c := range pathCases {
		t.Run(c.name, func(t *testing.T) { rows = append(rows, c.run(t)) })
	}
	t.Logf("\n%s", strings.Join(rows, "\n"))
	if *writeTable && !t.Failed() {
		if err := os.WriteFile("../../docs/networks.md", []byte(tableHead+strings.Join(rows, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const tableHead = `# Faults of the network

What two nodes that know each other by gossip alone do when the network between them is broken from the start: one
holds 3,000 revocations, the other is new. Made by ` + "`go test ./cluster/faults -run TestPaths -faults.paths -write-networks`" + ` in network
namespaces; a table that is not true fails there.

| the fault | the newcomer converges | its staleness is truthful | what is said |
|---|---|---|---|
`

func (c pathCase) run(t *testing.T) string {
	n := newNetwork(t, 2)
	start := func(host int, advertise, join string) {
		config, err := json.Marshal(nodeConfig{fmt.Sprint("n", host), filepath.Join(t.TempDir(), "data"), n.Address(host) + ":" + gossipTestPort, advertise, join})
		if err != nil {
			t.Fatal(err)
		}
		cmd := n.Command(host, os.Args[0])
		cmd.Env = append(os.Environ(), "FAULTS_NODE="+string(config))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	for host := range 2 {
		for _, f := range c.fault {
			if c.only < 0 || c.only == host {
				if out, err := n.Command(host, f...).CombinedOutput(); err != nil {
					t.Fatalf("%v: %v: %s", f, err, out)
				}
			}
		}
	}
	start(0, "", "")
	holder, newcomer := pathClient(n, 0), pathClient(n, 1)
	patient(t, "the first node is ready", func() bool { return holder.state().Ready })
	for i := range pathRecords {
		holder.get(fmt.Sprintf("/revoke?id=old-%d", i))
	}
	start(1, c.advertise, n.Address(0)+":"+gossipTestPort)
	converged, said := false, ""
	within(25*time.Second, func() (done bool) {
		s := newcomer.state()
		if s.Ready && s.Total < pathRecords {
			t.Errorf("ready with %d of %d", s.Total, pathRecords)
			return true
		}
		converged = s.Ready && s.Total >= pathRecords
		for _, p := range slices.Concat(s.Problems, holder.state().Problems) {
			if c.told != "" && strings.Contains(p, c.told) {
				said = p
			}
		}
		return converged == c.converges && (c.told == "" || said != "")
	})
	if converged != c.converges {
		t.Errorf("converges: %v; %+v", converged, newcomer.state())
	}
	if c.told != "" && said == "" {
		t.Errorf("nobody says %q; %+v, %+v", c.told, newcomer.state(), holder.state())
	}
	truthful := c.truthful(t, holder, newcomer)
	return fmt.Sprintf("| %s | %s | %s | %s |", c.name, yes(converged), truthful, strings.ReplaceAll(cmpOr(said, "nothing"), "|", "/"))
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no: it stays at 503"
}

// truthful revokes and looks, for a while, whether the newcomer ever claims to be
// less behind than it is.
func (c pathCase) truthful(t *testing.T, holder, newcomer pathNode) string {
	known := false
	for i := range 5 {
		id := fmt.Sprint("new-", i)
		holder.get("/revoke?id=" + id)
		revoked := time.Now()
		within(5*time.Second, func() (done bool) {
			asked := time.Now()
			s := newcomer.state()
			verdict := newcomer.get("/check?id=" + id)
			known = known || s.Known
			if verdict == rescind.Revoked.String() || !s.Known && !c.converges {
				return true
			}
			if s.Known && verdict == rescind.Valid.String() && asked.Add(-s.Bound).After(revoked) {
				t.Errorf("it claims to be %v behind, and accepts what was revoked %v before", s.Bound, asked.Sub(revoked))
			}
			return false
		})
	}
	if !known {
		return "it states none"
	}
	return "yes"
}

func patient(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if !within(30*time.Second, ok) {
		t.Fatalf("not within 30 s: %s", what)
	}
}

// within polls until done, and reports whether that was within d.
func within(d time.Duration, done func() bool) bool {
	end := time.After(d)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !done() {
		select {
		case <-poll.C:
		case <-end:
			return false
		}
	}
	return true
}

// pathNode asks a node inside its host.
type pathNode struct{ client *http.Client }

func pathClient(n *network, host int) pathNode {
	return pathNode{&http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return n.Dial(ctx, host, addr) },
	}}}
}

func (p pathNode) get(path string) string {
	r, err := p.client.Get("http://" + httpAddr + path)
	if err != nil {
		return ""
	}
	defer r.Body.Close()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		k, err := r.Body.Read(buf)
		b.Write(buf[:k])
		if err != nil {
			return b.String()
		}
	}
}

func (p pathNode) state() (s state) {
	_ = json.Unmarshal([]byte(p.get("/state")), &s)
	return s
}
