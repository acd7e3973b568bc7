package httpapi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"rescind/cluster"
	"rescind/internal/problem"
)

// relay stands between a node and the NATS server, and can be cut.
type relay struct {
	ln net.Listener
	to string

	mu    sync.Mutex
	off   bool
	conns []net.Conn
	wg    sync.WaitGroup
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{ln: ln, to: to}
	r.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			r.join(conn)
		}
	})
	t.Cleanup(func() {
		ln.Close()
		r.cut(true)
		r.wg.Wait()
	})
	return r
}

func (r *relay) join(in net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, err := net.Dial("tcp", r.to)
	if err != nil || r.off {
		in.Close()
		if err == nil {
			out.Close()
		}
		return
	}
	r.conns = append(r.conns, in, out)
	for from, to := range map[net.Conn]net.Conn{in: out, out: in} {
		r.wg.Go(func() {
			io.Copy(to, from) // ends with either connection
			from.Close()
			to.Close()
		})
	}
}

// cut ends all connections and refuses new ones, or with false takes them again.
func (r *relay) cut(off bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off = off
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

// newCluster starts three real nodes with their faces; the third is behind a
// relay.
func newCluster(t *testing.T) ([]*rig, *relay) {
	t.Helper()
	var rigs []*rig
	var link *relay
	var server string
	for i := range 3 {
		nats := &cluster.NATS{URL: server}
		switch i {
		case 0:
			nats = &cluster.NATS{Embed: "127.0.0.1:0"}
		case 2:
			u, err := url.Parse(server)
			if err != nil {
				t.Fatal(err)
			}
			link = newRelay(t, u.Host)
			nats.URL = "nats://" + link.ln.Addr().String()
		}
		node, err := cluster.Start(cluster.Config{
			Name: fmt.Sprint("n", i), DataDir: t.TempDir(), NATS: nats, VersionWait: 100 * time.Millisecond,
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { node.Close() })
		if i == 0 {
			server = node.NATSURL()
		}
		rigs = append(rigs, newRig(t, func(c *Config) { c.Node, c.Verifier = node, newVerifier(t, node) }))
	}
	for _, r := range rigs {
		eventually(t, "ready", func() bool {
			st := r.api.cfg.Node.Status()
			return st.Ready && st.Staleness.Known && len(st.Members) == 2
		})
	}
	return rigs, link
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(15 * time.Second)
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
		<-poll.C
	}
}

// TestReadYourLogout: through the HTTP face, from one node to another that is
// cut off and comes back. With the version nobody is told 200.
func TestReadYourLogout(t *testing.T) {
	rigs, link := newCluster(t)
	logout := func(i int, raw, query string, want int) (string, receiptJSON) {
		rec := rigs[i].do("DELETE", "/v1/session"+query, raw, "", "")
		wantStatus(t, rec, want)
		got := decode[receiptJSON](t, rec.Body)
		if v := rec.Header().Get("Rescind-Version"); v == "" || v != got.Version {
			t.Fatalf("header %q, receipt %q", v, got.Version)
		}
		return got.Version, got
	}
	for i := range 20 {
		raw := access(t, "sid", fmt.Sprint("s", i))
		version, _ := logout(i%3, raw, "?ack=local", http.StatusOK)
		eventually(t, "401", func() bool {
			rec := rigs[(i+1)%3].ask("/v1/check", raw, "Rescind-Version", version)
			if rec.Code == http.StatusOK {
				t.Fatal("told 200 with the version of its log-out")
			}
			return rec.Code == http.StatusUnauthorized
		})
	}

	all := access(t, "sid", "all")
	_, receipt := logout(0, all, "?ack=all&timeout=10s", http.StatusOK)
	if len(receipt.Acknowledged) != 2 || len(receipt.Missing) != 0 || *receipt.WindowMS <= 0 {
		t.Errorf("ack=all: %+v", receipt)
	}

	link.cut(true)
	raw := access(t, "sid", "cut")
	version, receipt := logout(0, raw, "?ack=all&timeout=5s", http.StatusAccepted)
	if len(receipt.Acknowledged) != 1 || receipt.Acknowledged[0].Node != "n1" || !slices.Equal(receipt.Missing, []string{"n2"}) {
		t.Errorf("ack=all with n2 cut off: %+v", receipt)
	}
	logout(0, access(t, "sid", "most"), "?ack=majority&timeout=10s", http.StatusOK)
	logout(0, access(t, "sid", "one"), "?ack=1&timeout=10s", http.StatusOK)
	logout(0, access(t, "sid", "ten"), "?ack=10&timeout=5s", http.StatusAccepted)
	if rec := rigs[0].post("/v1/revocations?ack=1&timeout=10s", `{"scope":"jti","id":"x"}`); rec.Code != http.StatusCreated {
		t.Errorf("confirmed: %d", rec.Code)
	}
	wantStatus(t, rigs[2].ask("/v1/check", raw), http.StatusOK) // it can't know, and serves
	start := time.Now()
	wantProblem(t, rigs[2].ask("/v1/check", raw, "Rescind-Version", version), problem.Behind, "")
	if d := time.Since(start); d < 100*time.Millisecond {
		t.Errorf("did not wait: %v", d)
	}
	wantProblem(t, rigs[2].ask("/v1/check", all, "Rescind-Version", version), problem.Token, "")
	eventually(t, "stale", func() bool {
		return rigs[2].ask("/v1/check", raw, "Rescind-Max-Staleness", "1s").Code == http.StatusServiceUnavailable
	})

	link.cut(false)
	eventually(t, "401", func() bool {
		rec := rigs[2].ask("/v1/check", raw, "Rescind-Version", version)
		if rec.Code == http.StatusOK {
			t.Fatal("told 200 with the version of its log-out")
		}
		return rec.Code == http.StatusUnauthorized
	})
	wantStatus(t, rigs[2].ask("/v1/check", access(t, "sid", "new"), "Rescind-Version", version), http.StatusOK)
}

// TestWaitingRequestsAreBounded: 1,000 checks with an invented version wait, the
// next is refused at once, and nobody else notices.
func TestWaitingRequestsAreBounded(t *testing.T) {
	node, err := cluster.Open(t.Context(), cluster.Config{Name: "a", DataDir: t.TempDir(), VersionWait: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	r := newRig(t, func(c *Config) { c.Node, c.Verifier = node, newVerifier(t, node) })
	raw, invented := access(t), "00000000000000ab.1.1"
	ctx, hangUp := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			req := httptest.NewRequestWithContext(ctx, "GET", "/v1/check", nil)
			req.Header.Set("Authorization", "Bearer "+access(t, "sub", fmt.Sprint(i/25), "jti", fmt.Sprint(i)))
			req.Header.Set("Rescind-Version", invented)
			if rec := r.send(req); rec.Code != http.StatusServiceUnavailable {
				t.Errorf("status %d", rec.Code)
			}
		})
	}
	eventually(t, "all wait", func() bool { return node.Status().Counters.Waits == 1000 })
	wantProblem(t, r.ask("/v1/check", raw, "Rescind-Version", invented), problem.Busy, "")
	wantStatus(t, r.ask("/v1/check", raw), http.StatusOK)
	hangUp()
	wg.Wait()
	wantLines(t, scrape(t, r), `rescind_version_waits_total 1000`, `rescind_version_wait_timeouts_total 1000`, `rescind_version_waits_refused_total 1`)
}
