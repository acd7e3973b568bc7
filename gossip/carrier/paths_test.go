package carrier

import (
	"net"
	"strings"
	"testing"
)

// TestPathsAreChecked: between members on an open network everything gets through,
// and both say so.
func TestPathsAreChecked(t *testing.T) {
	a := startGossip(t, 1, nil)
	b := startGossip(t, 2, nil, a.Addr())
	awaitMembers(t, 1, a, b)
	for _, m := range []peerNode{a, b} {
		eventually(t, "the path is whole", func() bool {
			paths := m.Paths()
			return len(paths) == 1 && paths[0].Known && paths[0].Whole() && len(paths[0].Missing()) == 0
		})
	}
	if s := a.Status(); s.Advertised != a.Addr() || s.Unreached != "" {
		t.Errorf("%+v", s)
	}
}

// TestUnreachableMemberDoesNotJoin: a node that advertises an address at which
// nobody reaches it, or at which another member answers, stays outside and says why:
// as a member it would be waited for in vain.
func TestUnreachableMemberDoesNotJoin(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := closed.Addr().String()
	closed.Close()
	seed := startGossip(t, 1, nil)
	other := startGossip(t, 2, nil, seed.Addr())
	awaitMembers(t, 1, seed, other)
	for advertise, why := range map[string]string{nowhere: "refused", other.Addr(): "another member answers"} {
		lost := startGossip(t, 3, func(c *MemberlistConfig) { c.Advertise = advertise }, seed.Addr())
		eventually(t, "it says that it is not reached", func() bool { return lost.Status().Unreached != "" })
		if s := lost.Status(); !strings.Contains(s.Unreached, advertise) || !strings.Contains(s.Unreached, why) || s.Members != 0 || s.Advertised != advertise {
			t.Errorf("%+v", s)
		}
		if n := seed.Status().Members; n != 1 {
			t.Errorf("the seed has %d members", n)
		}
	}
}

// TestStreamsCarryWhatDatagramsDoNot: where datagrams to a member are lost, small
// messages go by streams, several by one connection; where streams are, large ones
// are refused so that another carrier, or smaller parts, take over.
func TestStreamsCarryWhatDatagramsDoNot(t *testing.T) {
	a := startGossip(t, 1, nil)
	b := startGossip(t, 2, nil, a.Addr())
	awaitMembers(t, 1, a, b)
	to := a.roster.find(2)
	eventually(t, "the path is known", func() bool { return to.path.Load() != nil })
	to.path.Store(&Path{Known: true, TCPOut: true})
	if !to.streamsOnly() {
		t.Fatal("datagrams are used")
	}
	for i := range 200 {
		a.Broadcast(big(20 + i))
	}
	for i := range 200 {
		b.in.await(t, big(20+i))
	}
	to.path.Store(&Path{Known: true, UDPOut: true})
	if a.Limit(2) != MaxDatagram || a.Send(2, big(MaxDatagram+1)) {
		t.Error("a large message is taken that no stream can carry")
	}
	if !a.Send(2, big(50)) {
		t.Error("a small message is refused")
	}
	b.in.await(t, big(50))
}
