package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestStatusOfANodeInTrouble: what an operator who is paged reads first.
func TestStatusOfANodeInTrouble(t *testing.T) {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"cluster": "shop", "name": "n1", "version": "v9", "uptime_ms": 3723004.5, "ready": false, "staleness_ms": null,
			"members": [{"state": "silent"}, {"state": "alive"}, {"state": "alive"}], "revocations": {"total": 7, "max": 9},
			"carriers": [{"name": "gossip", "connected": true}, {"name": "nats", "connected": false, "last_error": "no\n\t* route"}],
			"settings": {"digest": "12ab", "failing": ["certificate"], "need_restart": []},
			"problems": [{"severity": "critical", "what": "NATS is down.", "meaning": "Nobody is told.", "do": "Start it."}]}`))
	}))
	t.Cleanup(node.Close)
	dir := t.TempDir()
	put(t, dir+"/admin", "the-admin-token-0123456789")
	var out strings.Builder
	if code := run(t.Context(), env{[]string{"status", "--addr", node.URL, "--admin-token-file", dir + "/admin"}, nil, &out, &out}); code != 0 {
		t.Fatalf("%d: %s", code, out.String())
	}
	const want = `node         n1 of cluster shop
version      v9, up 1h2m3s
ready        false
staleness    unknown
revocations  7 of 9
members      2 alive, 1 silent
gossip       connected
nats         down: no * route
settings     12ab
             can't be read again: certificate
critical     NATS is down.
             Nobody is told.
             What to do: Start it.
`
	if out.String() != want {
		t.Errorf("it prints\n%s", out.String())
	}
}
