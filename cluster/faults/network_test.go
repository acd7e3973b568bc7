package faults

import (
	"testing"

	"rescind/internal/netns"
)

// network fails the test where a fault can't be made.
type network struct {
	t *testing.T
	*netns.Network
}

func newNetwork(t *testing.T, hosts int) *network {
	t.Helper()
	n, err := netns.New(hosts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() }) // what runs in it is ended afterwards, at the latest with the test
	return &network{t, n}
}

func (n *network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) deafen(host int, from ...int) { n.must(n.Deafen(host, from...)) }

func (n *network) thin(host int, share float64) { n.must(n.Thin(host, share)) }

func (n *network) slow(host int) string {
	how, err := n.Slow(host)
	n.must(err)
	return how
}

func (n *network) heal() { n.must(n.Heal()) }
