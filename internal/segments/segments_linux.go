package segments

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Max bounds the payload of a TCP segment, in both directions: it is told
// when the connection is made. With its headers it fits 1,280 bytes, which every
// path carries that carries IPv6. Larger segments vanish on a path that is narrower
// than its ends believe and on which nobody lets ICMP through, and then whatever
// is larger than one segment hangs for ever. A datagram of ours is as small.
const Max = 1200

// Narrow is a Control function of net. Segments on loopback stay as they
// are. A kernel that refuses is no reason not to connect.
func Narrow(_, address string, conn syscall.RawConn) error {
	if addr, err := netip.ParseAddrPort(address); err == nil && addr.Addr().Unmap().IsLoopback() {
		return nil
	}
	return conn.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, Max)
	})
}
