package carrier

import (
	"context"
	"net"
	"sync"
	"time"
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
