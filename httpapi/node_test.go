package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"rescind/cluster"
)

var _ Node = (*cluster.Node)(nil)

// TestOnARealNode logs out through a node with a disk of its own, alone.
func TestOnARealNode(t *testing.T) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	node, err := cluster.Open(t.Context(), cluster.Config{Name: "a", DataDir: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	r := newRig(t, func(c *Config) { c.Node, c.Verifier = node, newVerifier(t, node) })
	raw := access(t)
	wantStatus(t, r.do("GET", "/readyz", "", "", ""), http.StatusOK)
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusOK)
	rec := r.do("DELETE", "/v1/session?ack=all", raw, "", "")
	wantStatus(t, rec, http.StatusOK)
	if got := decode[receiptJSON](t, rec.Body); got.Scope != "sid" || got.Version == "" || got.WindowMS != nil {
		t.Errorf("receipt %+v", got)
	}
	wantStatus(t, r.do("GET", "/v1/check", raw, "", ""), http.StatusUnauthorized)
	rec = r.post("/v1/revocations?ack=1&timeout=5s", `{"scope":"jti","id":"x"}`)
	wantStatus(t, rec, http.StatusAccepted)
	oneTime := access(t, "jti", "one-time", "sid", "session-2")
	wantStatus(t, r.post("/v1/tokens/consume", `{"mode":"available","token":"`+oneTime+`"}`), http.StatusOK)
	wantStatus(t, r.post("/v1/tokens/consume", `{"mode":"available","token":"`+oneTime+`"}`), http.StatusConflict)
	wantStatus(t, r.do("GET", "/v1/check", oneTime, "", ""), http.StatusUnauthorized)
	wantLines(t, scrape(t, r), `rescind_tokens_consumed_total 1`, `rescind_tokens_consume_refused_total{reason="used"} 1`)
	wantLines(t, scrape(t, r), `rescind_revocations{scope="sid"} 1`, `rescind_revocations_accepted_total{scope="sid"} 1`, `rescind_revocations_accepted_total{scope="jti"} 2`, `rescind_staleness_bound_seconds 0`)
	wantStatus(t, r.do("GET", "/v1/cluster", testAdmin, "", ""), http.StatusOK)
}

// TestBackchannelLogoutOnceInTheCluster: a logout token that one node has taken is
// refused by another.
func TestBackchannelLogoutOnceInTheCluster(t *testing.T) {
	rigs := make([]*rig, 2)
	nodes := make([]*cluster.Node, 2)
	for i := range nodes {
		g := &cluster.Gossip{Bind: "127.0.0.1:0"}
		if i > 0 {
			g.Join = []string{nodes[0].GossipAddr()}
		}
		n, err := cluster.Start(cluster.Config{Name: string(rune('a' + i)), DataDir: t.TempDir(), Gossip: g, JoinTimeout: time.Second, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		nodes[i] = n
		rigs[i] = newRig(t, func(c *Config) {
			c.Node, c.Verifier, c.LogoutAudience = n, newVerifier(t, n), map[string][]string{testIssuer: {relyingParty}}
		})
	}
	for _, n := range nodes {
		<-n.Ready()
	}
	raw := sign(t, "logout+jwt", logoutClaimsOf())
	if got := rigs[0].logout(raw); got != http.StatusOK {
		t.Fatalf("the first node answers %d", got)
	}
	// Another revocation that all have says that this one has arrived, too.
	wantStatus(t, rigs[0].post("/v1/revocations?ack=1&timeout=10s", `{"scope":"jti","id":"later"}`), http.StatusCreated)
	if got := rigs[1].logout(raw); got != http.StatusBadRequest {
		t.Errorf("the second node answers %d", got)
	}
	wantStatus(t, rigs[1].do("GET", "/v1/check", access(t), "", ""), http.StatusUnauthorized)
}
