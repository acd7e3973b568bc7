package carrier

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// useResolver replaces the resolver of this process until the test ends.
func useResolver(t *testing.T, dial func(ctx context.Context) (net.Conn, error)) {
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	t.Cleanup(func() { net.DefaultResolver = before })
}

// TestSeedsHoldUpNoOther: names for which no resolver answers stand before a good
// address. That one is joined while the names are still being looked up, and the
// seeds count as tried once those have failed, too.
func TestSeedsHoldUpNoOther(t *testing.T) {
	release := make(chan struct{})
	useResolver(t, func(ctx context.Context) (net.Conn, error) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil, io.ErrUnexpectedEOF
	})
	good := startGossip(t, 1, nil)
	node := startGossip(t, 2, nil, "dns+one.invalid:7946", "two.invalid:7946", "dnssrv+three.invalid", good.Addr())
	awaitMembers(t, 1, node)
	if node.SeedsTried() {
		t.Error("seeds count as tried while they are being looked up")
	}
	close(release)
	eventually(t, "each seed has been tried", node.SeedsTried)
}

// TestSeedsBySRV: SRV records tell host and port of each member.
func TestSeedsBySRV(t *testing.T) {
	good := startGossip(t, 1, nil)
	at := netip.MustParseAddrPort(good.Addr())
	useResolver(t, func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerDNS(theirs, at)
		return ours, nil
	})
	node := startGossip(t, 2, nil, "dnssrv+_gossip._tcp.rescind.invalid")
	awaitMembers(t, 1, node, good)
}

// answerDNS answers one question: SRV with the port of at, A with its address.
func answerDNS(conn net.Conn, at netip.AddrPort) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(query) != nil || len(m.Questions) != 1 {
			return
		}
		q := m.Questions[0]
		answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}, Questions: m.Questions}
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}
		switch q.Type {
		case dnsmessage.TypeSRV:
			target := dnsmessage.MustNewName("node1.rescind.invalid.")
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.SRVResource{Port: at.Port(), Target: target}})
		case dnsmessage.TypeA:
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: at.Addr().As4()}})
		}
		packed, err := answer.Pack()
		if err != nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
			return
		}
	}
}
