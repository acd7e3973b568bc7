package carrier

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"rescind/internal/admission"
)

// boundConn has a deadline, and is closed when its transport's context ends.
type boundConn struct {
	net.Conn
	once     sync.Once
	release  func() bool
	released func()
}

// bind bounds conn; released is called once, when it is closed.
func (t *transport) bind(conn net.Conn, released func()) *boundConn {
	_ = conn.SetDeadline(time.Now().Add(streamTimeout)) // fails only if it is closed already
	c := &boundConn{Conn: conn, released: released}
	c.release = context.AfterFunc(t.ctx, func() { conn.Close() })
	return c
}

// Close may be called again.
func (c *boundConn) Close() error {
	c.release()
	c.once.Do(c.released)
	return c.Conn.Close()
}

// errCrowded ends a connection that brings more than there is room for.
var errCrowded = errors.New("the connection brings more than there is room for")

// inboundConn is a connection of somebody who has not shown the key yet. What it
// brings is counted until it is closed.
type inboundConn struct {
	*boundConn
	room *admission.Room
	from netip.Addr

	mu     sync.Mutex // guards the fields below
	read   int64
	taken  int64
	closed bool
}

// Read fails once there is no room for what comes.
func (c *inboundConn) Read(p []byte) (int, error) {
	n, err := c.boundConn.Read(p)
	if n > 0 && !c.take(int64(n)) {
		return 0, errCrowded
	}
	return n, err
}

func (c *inboundConn) take(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += n
	if c.closed || c.read > maxInboundBytes || !c.room.Take(c.from, n*inboundCost) {
		return false
	}
	c.taken += n * inboundCost
	return true
}

// Close may be called again.
func (c *inboundConn) Close() error {
	c.mu.Lock()
	taken := c.taken
	c.taken, c.closed = 0, true
	c.mu.Unlock()
	if taken > 0 {
		c.room.Give(c.from, taken)
	}
	return c.boundConn.Close()
}
