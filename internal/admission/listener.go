package admission

import (
	"net"
	"net/netip"
	"sync"
)

const (
	// readBuffer and writeBuffer are what the kernel keeps of a connection, in bytes;
	// it takes twice of each. By itself it grows them to megabytes for who sends
	// without being read, or asks without reading.
	readBuffer  = 64 << 10
	writeBuffer = 128 << 10
)

// Listener returns l with as many connections at one time as there is room for.
// Those beyond are reset at once. A nil l is returned as it is.
func (r *Room) Listener(l net.Listener) net.Listener {
	if r == nil || l == nil {
		return l
	}
	return &listener{Listener: l, room: r}
}

type listener struct {
	net.Listener
	room *Room
}

// Accept returns the next connection for which there is room.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if admitted := l.room.Admit(conn); admitted != nil {
			return admitted, nil
		}
	}
}

// Admit returns conn, which gives its place back when it is closed, or closes it and
// returns nil.
func (r *Room) Admit(conn net.Conn) net.Conn {
	if r == nil {
		return conn
	}
	from := AddrOf(conn.RemoteAddr())
	tcp, isTCP := conn.(*net.TCPConn)
	if !r.Take(from, 1) {
		if isTCP {
			_ = tcp.SetLinger(0) // reset: what it has sent is not read, and nothing of it stays in the kernel
		}
		conn.Close()
		return nil
	}
	if isTCP {
		_ = tcp.SetReadBuffer(readBuffer) // these fail only if it is closed already
		_ = tcp.SetWriteBuffer(writeBuffer)
	}
	return &admittedConn{Conn: conn, room: r, from: from}
}

// AddrOf returns the IP address of a connection's end, or the zero one where it has
// none.
func AddrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	if a == nil {
		return netip.Addr{}
	}
	return ParseAddr(a.String())
}

// ParseAddr is AddrOf for a host:port as net/http states it.
func ParseAddr(hostport string) netip.Addr {
	p, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

type admittedConn struct {
	net.Conn
	room *Room
	from netip.Addr
	once sync.Once
}

// Close may be called again.
func (c *admittedConn) Close() error {
	err := c.Conn.Close() // before its place is given away, so that there are never more
	c.once.Do(func() { c.room.Give(c.from, 1) })
	return err
}
