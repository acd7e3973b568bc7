package carrier

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// streamTimeout bounds a connection from its dial to its end: 1 MiB at about
// one megabit a second.
const streamTimeout = 10 * time.Second

// transport is memberlist's own, with connections that end. memberlist sets no
// deadline on the connections of SendReliable, so a member that is paused with
// its sockets open would hold a sender for ever.
type transport struct {
	*memberlist.NetTransport
	ctx          context.Context // its end cancels dials and closes connections
	loopbackOnly bool            // without a key nothing leaves this host
}

// portTries: memberlist needs the same port for TCP and UDP, and a port that
// the kernel picked for the one may be taken for the other.
const portTries = 10

func newTransport(ctx context.Context, bind netip.AddrPort, logger *log.Logger, loopbackOnly bool) (*transport, error) {
	cfg := &memberlist.NetTransportConfig{
		BindAddrs: []string{bind.Addr().String()},
		BindPort:  int(bind.Port()),
		Logger:    logger,
	}
	tries := 1
	if bind.Port() == 0 {
		tries = portTries
	}
	var err error
	for range tries {
		var inner *memberlist.NetTransport
		if inner, err = memberlist.NewNetTransport(cfg); err == nil {
			return &transport{NetTransport: inner, ctx: ctx, loopbackOnly: loopbackOnly}, nil
		}
	}
	return nil, err
}

// DialTimeout is part of memberlist.Transport.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout is part of memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if t.loopbackOnly && !loopbackHost(a.Addr) {
		return nil, fmt.Errorf("without a key only loopback addresses are dialled, and %s is none", a.Addr)
	}
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(streamTimeout)); err != nil {
		conn.Close()
		return nil, err
	}
	return &boundConn{Conn: conn, release: context.AfterFunc(t.ctx, func() { conn.Close() })}, nil
}

// boundConn is closed when its transport's context ends.
type boundConn struct {
	net.Conn
	release func() bool
}

func (c *boundConn) Close() error {
	c.release()
	return c.Conn.Close()
}

func loopbackHost(hostport string) bool {
	addr, err := netip.ParseAddrPort(hostport)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
