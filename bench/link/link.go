// Package link is a TCP link between places that are far apart: what goes in at
// one end comes out at the other a fixed time later, in order, and the link can
// be cut. It does in user space what tc's netem does in kernels that have it.
//
// It delays what connections carry and not packets: a connection takes one delay
// to be made instead of two, nothing is lost or reordered, and after a silence
// what waited goes on at once, where TCP waits for its next retransmission.
package link

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// What is under way in one direction of a connection is bounded to maxParts
	// reads of partSize bytes, 16 MiB. Beyond, the sender waits.
	partSize = 4 << 10
	maxParts = 4096

	dialTimeout = 2 * time.Second
)

// Link carries connections from its own address to another one. Its methods are
// safe for concurrent use. The caller must Close it.
type Link struct {
	to       string
	delay    time.Duration // one way
	listener net.Listener

	there, back atomic.Int64 // bytes that came out

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	broken bool
	whole  chan struct{}       // closed unless the link is silent
	conns  map[net.Conn]func() // what ends each connection, by its near end
}

// New returns a link from an address on loopback to the given one, host:port,
// that takes delay in each direction.
func New(to string, delay time.Duration) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the link to %s: %w", to, err)
	}
	l := &Link{to: to, delay: delay, listener: listener, whole: make(chan struct{}), conns: map[net.Conn]func(){}}
	close(l.whole)
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.running.Go(l.accept)
	return l, nil
}

// Addr is the near end, host:port.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Bytes returns how many bytes have come out at the far end, and at the near
// one: what TCP carried, without its own headers.
func (l *Link) Bytes() (there, back int64) { return l.there.Load(), l.back.Load() }

// Break ends every connection and refuses new ones, until Mend.
func (l *Link) Break() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for _, end := range l.conns {
		end()
	}
}

// Silence lets nothing out at either end and tells nobody, until Mend: a cable
// that was cut, a firewall that drops.
func (l *Link) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.passing() {
		l.whole = make(chan struct{})
	}
}

// Mend ends what Break and Silence began.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
	if !l.passing() {
		close(l.whole)
	}
}

// passing reports whether the link is not silent. l.mu is held.
func (l *Link) passing() bool {
	select {
	case <-l.whole:
		return true
	default:
		return false
	}
}

// Close ends every connection and waits for what carried them. It is safe to
// call it twice.
func (l *Link) Close() {
	l.stop()
	l.listener.Close()
	l.running.Wait()
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.connect(near) })
	}
}

// connect makes the far half of a connection and carries both ways.
func (l *Link) connect(near net.Conn) {
	defer near.Close()
	ctx, end := context.WithCancel(l.ctx)
	defer end()
	if !l.enter(near, end) {
		return
	}
	defer l.leave(near)
	if !sleep(ctx, l.delay) || !l.wait(ctx) {
		return
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	far, err := dialer.DialContext(ctx, "tcp", l.to)
	if err != nil {
		return
	}
	defer far.Close()
	defer context.AfterFunc(ctx, func() { near.Close(); far.Close() })()
	var ways sync.WaitGroup
	ways.Go(func() { l.carry(ctx, far, near, &l.there); end() })
	ways.Go(func() { l.carry(ctx, near, far, &l.back); end() })
	ways.Wait()
}

// enter returns false if the link is broken.
func (l *Link) enter(near net.Conn, end func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.broken {
		l.conns[near] = end
	}
	return !l.broken
}

func (l *Link) leave(near net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, near)
}

// part is what one read returned, and when it comes out.
type part struct {
	due  time.Time
	data []byte
}

// carry moves one direction until src ends and all of it has come out, dst
// fails, or ctx ends.
func (l *Link) carry(ctx context.Context, dst io.Writer, src io.Reader, moved *atomic.Int64) {
	ctx, end := context.WithCancel(ctx)
	parts := make(chan part, maxParts)
	var reading sync.WaitGroup
	reading.Go(func() { l.read(ctx, src, parts) })
	for p := range parts {
		if !sleep(ctx, time.Until(p.due)) || !l.wait(ctx) {
			break
		}
		moved.Add(int64(len(p.data))) // before, so that who has read it finds it counted
		if _, err := dst.Write(p.data); err != nil {
			break
		}
	}
	end()
	if c, ok := src.(io.Closer); ok {
		c.Close() // a read that waits ends
	}
	reading.Wait()
}

func (l *Link) read(ctx context.Context, src io.Reader, parts chan<- part) {
	defer close(parts)
	for l.wait(ctx) {
		data := make([]byte, partSize)
		n, err := src.Read(data)
		if n > 0 {
			select {
			case parts <- part{time.Now().Add(l.delay), data[:n:n]}:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait returns once the link is not silent; false if ctx ended before.
func (l *Link) wait(ctx context.Context) bool {
	l.mu.Lock()
	whole := l.whole
	l.mu.Unlock()
	select {
	case <-whole:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// sleep returns false if ctx ended before d had passed.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
