package regions

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rescind"
	"rescind/bench/link"
	"rescind/bench/window"
	"rescind/cluster"
)

// TestRegions: a revocation crosses from one region to the others and takes the
// links' time, gossip stays inside each, and what was revoked on either side of a
// cut link is refused on both once it is mended, however it was cut.
func TestRegions(t *testing.T) {
	g := geography{regions: 3, nodes: 2, delay: 10 * time.Millisecond, ping: 200 * time.Millisecond, redial: 50 * time.Millisecond}
	err := withRegions(t.Context(), g, func(r *regions) error {
		for _, n := range r.nodes {
			for _, c := range n.Status().Carriers {
				if c.Name == "gossip" && c.Members != g.nodes-1 {
					t.Errorf("%s gossips with %d members; there is %d in its region", n.Status().Name, c.Members, g.nodes-1)
				}
			}
		}
		for from := range r.nodes {
			crossing(t, r, from)
		}
		for _, how := range cuts {
			healing(t, r, how)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestExampleConfig: the servers of deploy/regions are set as those that are
// measured and tested here.
func TestExampleConfig(t *testing.T) {
	read := func(region string) *server.Options {
		o, err := server.ProcessConfigFile("../../deploy/regions/nats-" + region + ".conf")
		if err != nil {
			t.Fatal(err)
		}
		if o.PingInterval != measured.ping || o.MaxPingsOut != 2 || o.LeafNode.Compression.Mode != server.CompressionOff {
			t.Errorf("region %s: pings every %v, %d in vain, compression %q", region, o.PingInterval, o.MaxPingsOut, o.LeafNode.Compression.Mode)
		}
		return o
	}
	if hub := read("a"); hub.LeafNode.Port != 7422 || !hub.LeafNode.NoAdvertise || len(hub.LeafNode.Remotes) != 0 {
		t.Errorf("the hub listens at port %d, advertises unless %v, and connects to %d others", hub.LeafNode.Port, hub.LeafNode.NoAdvertise, len(hub.LeafNode.Remotes))
	}
	leaf := read("b")
	if len(leaf.LeafNode.Remotes) != 1 || leaf.LeafNode.Port != 0 || leaf.LeafNode.ReconnectInterval != measured.redial {
		t.Fatalf("the leaf node connects to %d others, listens at port %d and tries again after %v", len(leaf.LeafNode.Remotes), leaf.LeafNode.Port, leaf.LeafNode.ReconnectInterval)
	}
	if r := leaf.LeafNode.Remotes[0]; len(r.URLs) != 1 || r.URLs[0].Host != "nats-a:7422" || r.Compression.Mode != server.CompressionOff {
		t.Errorf("the leaf node connects to %v with compression %q", r.URLs, r.Compression.Mode)
	}
}

// refusal is closed when the node refuses the token.
func refusal(t *testing.T, n *cluster.Node, token rescind.Token) <-chan struct{} {
	t.Helper()
	refused := make(chan struct{})
	t.Cleanup(n.WatchToken(token, func() { close(refused) }))
	return refused
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case <-c:
	case <-ctx.Done():
		t.Fatalf("not within 30 s: %s", what)
	}
}

func crossing(t *testing.T, r *regions, from int) {
	t.Helper()
	token := rescind.Token{Issuer: window.Issuer, ID: fmt.Sprint("crossing-", from)}
	refused := make([]<-chan struct{}, len(r.nodes))
	for to, n := range r.nodes {
		refused[to] = refusal(t, n, token)
	}
	began := time.Now()
	if err := window.Revoke(t.Context(), r.nodes[from], token); err != nil {
		t.Fatal(err)
	}
	for to := range r.nodes {
		await(t, fmt.Sprintf("node %d refuses what node %d revoked", to, from), refused[to])
		if took, way := time.Since(began), time.Duration(r.hops(from, to))*10*time.Millisecond; took < way {
			t.Errorf("from node %d to %d took %v, less than the way of %v", from, to, took, way)
		}
	}
}

// healing cuts the last region off, revokes on both sides and mends the link.
func healing(t *testing.T, r *regions, how cut) {
	t.Helper()
	near, far := r.nodes[0], r.nodes[len(r.nodes)-1]
	here := rescind.Token{Issuer: window.Issuer, ID: "here-" + how.figure}
	there := rescind.Token{Issuer: window.Issuer, ID: "there-" + how.figure}
	arrivesThere, arrivesHere := refusal(t, far, here), refusal(t, near, there)
	neighbour := refusal(t, r.nodes[1], here)

	last := r.links[len(r.links)-1]
	how.begin(last)
	began := time.Now()
	for n, token := range map[*cluster.Node]rescind.Token{near: here, far: there} {
		if err := window.Revoke(t.Context(), n, token); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "a neighbour refuses, too", neighbour)
	// The claims grow with the silence: half a second after the cut a node can't
	// claim less than the half of that, since nothing has been echoed.
	const while = 600 * time.Millisecond
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for time.Since(began) < while {
		<-poll.C
	}
	for _, n := range []*cluster.Node{near, far} {
		if s, since := n.Staleness(), time.Since(began); s.Known && s.Bound < since/2 {
			t.Errorf("%s: cut off for %v, a node claims to be %v behind", how.name, since, s.Bound)
		}
	}
	select {
	case <-arrivesThere:
		t.Errorf("%s: a revocation crossed a link that is cut", how.name)
	case <-arrivesHere:
		t.Errorf("%s: a revocation came back over a link that is cut", how.name)
	default:
	}
	last.Mend()
	await(t, how.name+": it arrives after all", arrivesThere)
	await(t, how.name+": and the other way", arrivesHere)
	if near.Check(there) != rescind.Revoked || far.Check(here) != rescind.Revoked {
		t.Errorf("%s: the two sides are not equal", how.name)
	}
}

// TestByDistance: arrivals are sorted by the links that they crossed, and what
// is missing counts with the time that it was given.
func TestByDistance(t *testing.T) {
	r := &regions{of: []int{0, 0, 1, 2}, links: make([]*link.Link, 2), nodes: make([]*cluster.Node, 4)}
	rec := window.NewRecorder(2, 3, time.Second)
	for to, took := range map[int]time.Duration{1: 1, 2: 80, 3: 90} { // revoked on node 0
		rec.Arrived(0, to, took*time.Millisecond)
	}
	rec.Arrived(1, 0, 2*time.Millisecond) // revoked on node 1, and never refused on node 2
	rec.Arrived(1, 3, 70*time.Millisecond)
	all := r.byDistance(rec.Curve(2))
	if got := all[0].percentile("last", 100); got < 2 || got > 2.01 || all[0].lost != 0 {
		t.Errorf("inside: at most %v ms, %d lost", got, all[0].lost)
	}
	if each, last := all[1].histogram("each").TotalCount(), all[1].percentile("last", 100); each != 4 || all[1].lost != 1 || last < 999 {
		t.Errorf("one link away: %d arrivals, %d lost, at most %v ms", each, all[1].lost, last)
	}
}
