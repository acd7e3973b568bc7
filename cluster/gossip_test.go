package cluster

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"rescind"
)

// TestGossipFlood: whoever can reach the gossip port throws packets of one size,
// packets that are too large and connections that say nothing at it. Members
// stay alive, and of a burst of records that are all of one size nothing is lost.
func TestGossipFlood(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 32)
	r := newRigWith(t, 3, true, false, func(c *Config) { c.Key = key })
	target := r.nodes[1].GossipAddr()
	udp, err := net.Dial("udp", target)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for range 100 { // more than it takes at a time
		if conn, err := net.Dial("tcp", target); err == nil {
			defer conn.Close()
		}
	}
	equal, large := make([]byte, 300), make([]byte, 60_000)
	rand.Read(equal)
	rand.Read(large)
	equal[0], large[0] = 'D', 'D' // as messages of ours begin
	flood := func() {
		for i := range 2000 {
			equal[1], equal[2] = byte(i), byte(i>>8)
			udp.Write(equal) // what the host refuses is as good as lost
			if i%20 == 0 {
				udp.Write(large)
				udp.Write(large[1:]) // as memberlist's own, perhaps
			}
		}
	}
	var ids []string
	for _, prefix := range []string{"a-", "b-", "c-", "d-"} {
		flood()
		ids = append(ids, r.burst(0, 500, prefix)...)
	}
	for _, id := range ids {
		r.refused(id)
	}
	for i, n := range r.nodes {
		await(t, fmt.Sprintf("node %d holds all for alive", i), func() bool {
			return !slices.ContainsFunc(n.Status().Members, func(m Member) bool { return m.State != MemberAlive })
		})
	}
	if n := r.nodes[1].Status().Counters.Refused; n == 0 {
		t.Error("not one packet of the flood was counted")
	}
}

// TestTwoNodesOfOneName: a name is for people. Two nodes that were given the same
// are two members, and both count.
func TestTwoNodesOfOneName(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, gossip, nats bool) {
		r := newRigWith(t, 3, gossip, nats, func(c *Config) { c.Name = "api" })
		for i := range r.nodes {
			id := string(rune('a' + i))
			if receipt := r.revoke(i, id, rescind.AckAll); len(receipt.Acknowledged) != 2 || len(receipt.Missing) != 0 {
				t.Errorf("receipt %+v; want two acknowledgements", receipt)
			}
			r.refused(id)
		}
		r.stop(1)
		await(t, "one has left", func() bool {
			left := 0
			for _, m := range r.nodes[0].Status().Members {
				if m.State == MemberLeft {
					left++
				}
			}
			return left == 1
		})
		back := r.start(1)
		await(t, "back", func() bool { return back.Status().Ready })
		r.revoke(1, "again", rescind.AckAll)
		r.refused("again")
	})
}

// TestLoneNode: the first of a cluster, which names nobody to join, has nobody to
// send to. It confirms what it is asked to confirm, nothing piles up, and whoever
// joins later gets it all.
func TestLoneNode(t *testing.T) {
	r := &rig{t: t, dir: t.TempDir(), nodes: make([]*Node, 2)}
	for i := range r.nodes {
		r.cfgs = append(r.cfgs, Config{Name: fmt.Sprint("n", i), DataDir: filepath.Join(r.dir, fmt.Sprint(i)), Logger: quiet, Gossip: &Gossip{Bind: "127.0.0.1:0"}})
	}
	first := r.start(0)
	await(t, "loaded", func() bool { return first.accepting() == nil })
	if s := first.Staleness(); s.Known {
		t.Errorf("it claims %+v; a member that nobody has reached may have been away for long", s)
	}
	for id, ack := range map[string]rescind.Ack{"all": rescind.AckAll, "majority": rescind.AckMajority} {
		if receipt := r.revoke(0, id, ack); len(receipt.Acknowledged)+len(receipt.Missing) != 0 {
			t.Errorf("%s: %+v", id, receipt)
		}
	}
	ids := r.burst(0, 3000, "alone-")
	for _, c := range first.Status().Carriers {
		if c.Dropped != 0 || c.Sent != 0 {
			t.Errorf("sent to nobody: %+v", c)
		}
	}
	second := r.start(1)
	await(t, "the second is ready", func() bool { return second.Status().Ready && second.Staleness().Known })
	for _, id := range append(ids, "all", "majority") {
		if second.Check(tokenOf(id)) != rescind.Revoked {
			t.Fatalf("it is ready and accepts %s", id)
		}
	}
}
