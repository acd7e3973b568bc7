package carrier

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"rescind/internal/admission"
	"rescind/internal/segments"
)

const (
	// streamTimeout bounds a connection from its dial to its end: 1 MiB at about
	// one megabit a second.
	streamTimeout = 10 * time.Second

	// maxInbound bounds the connections of others at one time, and maxInboundBytes
	// what one of them may bring: the list of members, or a message of ours, of at
	// most MaxMessage. Whoever reaches the port could make memberlist take in up to 20
	// MiB on each before it finds that the sender has no key.
	maxInbound      = 64
	maxInboundBytes = 4 << 20

	// inboundCost is what a byte that was read takes: memberlist gathers them in a
	// buffer that doubles, and then opens the whole.
	inboundCost = 3

	// standardStreamBytes is what all of them may take, unless the configuration says.
	standardStreamBytes = 64 << 20

	// packetBacklog is how many of memberlist's own packets wait for it.
	packetBacklog = 1024

	socketBuffer = 2 << 20
	maxPacket    = 64 << 10

	// portTries: the same port is needed for TCP and UDP, and a port that the
	// kernel picked for the one may be taken for the other.
	portTries = 10
)

// dataMark begins a datagram that is a message of ours. Memberlist's begin with
// the mark of a label, 244.
const dataMark = 'D'

// dialer makes connections whose segments pass tunnels.
var dialer = net.Dialer{Control: segments.Narrow}

// transport is the network as memberlist sees it, and the direct way for our
// own datagrams. It differs from memberlist's in three ways. Messages of ours
// pass memberlist by: its own path takes a buffer of 64 KiB, two changes of
// goroutine and a second encryption for each. Connections end: memberlist sets
// no deadline on those of SendReliable, so a member that is paused with its
// sockets open would hold a sender for ever. And they are bounded in number, and in
// what they may take before their sender has shown the key.
type transport struct {
	ctx          context.Context // its end cancels dials and closes connections
	loopbackOnly bool            // without a key nothing leaves this host
	data         func(msg []byte)
	pathDatagram func(sealed []byte)
	pathConn     func(ctx context.Context, conn net.Conn)

	tcp     *net.TCPListener
	udp     *net.UDPConn
	packets chan *memberlist.Packet
	streams chan net.Conn
	inbound *admission.Room // for connections of others
	bytes   *admission.Room // for what they bring
	running sync.WaitGroup
}

// newTransport listens. data receives messages once start was called; it owns
// them, and must not block.
func newTransport(ctx context.Context, bind netip.AddrPort, loopbackOnly bool, streamBytes int64, log *slog.Logger, data func(msg []byte)) (*transport, error) {
	t := &transport{
		ctx: ctx, loopbackOnly: loopbackOnly, data: data,
		packets: make(chan *memberlist.Packet, packetBacklog),
		streams: make(chan net.Conn),
		inbound: admission.NewRoom("connections to gossip.bind", maxInbound, log),
		bytes:   admission.NewRoom("bytes of connections to gossip.bind", cmp.Or(streamBytes, standardStreamBytes), log),
	}
	tries := 1
	if bind.Port() == 0 {
		tries = portTries
	}
	var err error
	for range tries {
		if err = t.listen(bind); err == nil {
			return t, nil
		}
	}
	return nil, err
}

func (t *transport) listen(bind netip.AddrPort) error {
	config := net.ListenConfig{Control: segments.Narrow}
	listener, err := config.Listen(t.ctx, "tcp", bind.String())
	if err != nil {
		return err
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return errors.Join(fmt.Errorf("listen at %s: not a TCP address", bind), listener.Close())
	}
	t.tcp = tcp
	if t.udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(bind.Addr(), t.port()))); err != nil {
		return errors.Join(err, tcp.Close())
	}
	_ = t.udp.SetReadBuffer(socketBuffer) // what the kernel allows will do: what it drops is repaired
	return nil
}

// start begins to receive.
func (t *transport) start() {
	t.running.Go(t.acceptStreams)
	t.running.Go(t.readPackets)
}

func (t *transport) port() uint16 { return t.tcp.Addr().(*net.TCPAddr).AddrPort().Port() }

// readPackets tells our messages from memberlist's packets, until the socket is
// closed.
func (t *transport) readPackets() {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := t.udp.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil || n == 0: // an ICMP error that came back, or nothing
		case buf[0] == pathMark:
			t.pathDatagram(buf[1:n])
		case buf[0] == dataMark:
			t.data(bytes.Clone(buf[1:n]))
		default:
			t.pass(buf[:n], from)
		}
	}
}

// pass gives a packet to memberlist, or drops it where memberlist is behind, as
// a socket would.
func (t *transport) pass(packet []byte, from netip.AddrPort) {
	p := &memberlist.Packet{
		Buf: bytes.Clone(packet), Timestamp: time.Now(),
		From: net.UDPAddrFromAddrPort(netip.AddrPortFrom(from.Addr().Unmap(), from.Port())),
	}
	select {
	case t.packets <- p:
	default:
	}
}

// acceptStreams gives connections to memberlist, until the listener is closed.
func (t *transport) acceptStreams() {
	for {
		conn, err := t.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, say
			select {
			case <-time.After(100 * time.Millisecond):
			case <-t.ctx.Done():
				return
			}
			continue
		}
		t.admit(conn)
	}
}

// admit closes conn if there are too many.
func (t *transport) admit(conn net.Conn) {
	if conn = t.inbound.Admit(conn); conn == nil {
		return
	}
	bound := &inboundConn{boundConn: t.bind(conn, func() {}), room: t.bytes, from: admission.AddrOf(conn.RemoteAddr())}
	t.running.Go(func() { t.sort(bound) })
}

// sort tells connections of path checks from memberlist's, by their first byte.
func (t *transport) sort(conn *inboundConn) {
	var first [1]byte
	if _, err := conn.Read(first[:]); err != nil {
		conn.Close()
		return
	}
	if first[0] == pathMark {
		t.pathConn(t.ctx, conn)
		return
	}
	select {
	case t.streams <- &begunConn{inboundConn: conn, first: first[:]}:
	case <-t.ctx.Done():
		conn.Close()
	}
}

// begunConn is a connection whose first byte has been read.
type begunConn struct {
	*inboundConn
	first []byte
}

// Read yields that byte first.
func (c *begunConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.inboundConn.Read(p)
}

// send sends one of our messages, with its mark before it, as a datagram. It
// waits for nobody but this host's own network buffer.
func (t *transport) send(to netip.AddrPort, marked []byte) error {
	_, err := t.udp.WriteToUDPAddrPort(marked, to)
	return err
}

// FinalAdvertiseAddr is part of memberlist.Transport. The address is always
// given by us.
func (t *transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, 0, fmt.Errorf("advertise %q: %w", ip, err)
	}
	return addr.Unmap().AsSlice(), port, nil
}

// WriteTo is part of memberlist.Transport.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// WriteToAddress is part of memberlist.NodeAwareTransport.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	to, err := netip.ParseAddrPort(a.Addr)
	if err != nil {
		return time.Time{}, fmt.Errorf("send to a member: %w", err)
	}
	err = t.send(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()), b)
	return time.Now(), err
}

// PacketCh is part of memberlist.Transport.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh is part of memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

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
	conn, err := dialer.DialContext(ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	return t.bind(conn, func() {}), nil
}

// Shutdown is part of memberlist.Transport. It waits for the receivers.
func (t *transport) Shutdown() error {
	err := errors.Join(t.tcp.Close(), t.udp.Close())
	t.running.Wait()
	return err
}

func loopbackHost(hostport string) bool {
	addr, err := netip.ParseAddrPort(hostport)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
