package natstest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Wire is the way to a server, which can be cut, clogged, or lose what comes
// back or all.
type Wire struct {
	listener net.Listener
	running  sync.WaitGroup
	deaf     atomic.Bool // what comes back is lost
	mute     atomic.Bool // what goes there is lost

	mu      sync.Mutex
	to      string
	cut     bool
	clogged chan struct{} // nil: what comes back passes; else it waits until this is closed
	conns   map[net.Conn]bool
}

// NewWire returns a wire to an address, which may be given later.
func NewWire(t testing.TB, to string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{listener: l, to: to, conns: make(map[net.Conn]bool)}
	w.running.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.Clog(false)
		w.Cut(true)
		w.running.Wait()
	})
	return w
}

func (w *Wire) accept() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.running.Go(func() { w.carry(in) })
	}
}

func (w *Wire) carry(in net.Conn) {
	defer in.Close()
	w.mu.Lock()
	to, cut := w.to, w.cut
	w.mu.Unlock()
	if cut || to == "" {
		return
	}
	out, err := net.DialTimeout("tcp", to, time.Second)
	if err != nil {
		return
	}
	defer out.Close()
	if !w.enter(in, out) {
		return
	}
	defer w.leave(in, out)
	done := make(chan struct{}, 2)
	w.running.Go(func() {
		io.Copy(there{out, w}, in)
		done <- struct{}{}
	})
	w.running.Go(func() {
		io.Copy(back{in, w}, out)
		done <- struct{}{}
	})
	<-done
}

func (w *Wire) enter(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.conns[c] = true
	}
	return !w.cut
}

func (w *Wire) leave(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.conns, c)
	}
}

// back is the way back.
type back struct {
	net.Conn
	wire *Wire
}

func (b back) Write(p []byte) (int, error) {
	if b.wire.deaf.Load() {
		return len(p), nil
	}
	b.wire.mu.Lock()
	clogged := b.wire.clogged
	b.wire.mu.Unlock()
	if clogged != nil {
		<-clogged
	}
	return b.Conn.Write(p)
}

// there is the way to the server.
type there struct {
	net.Conn
	wire *Wire
}

func (t there) Write(p []byte) (int, error) {
	if t.wire.mute.Load() {
		return len(p), nil
	}
	return t.Conn.Write(p)
}

// Addr is the wire's near end.
func (w *Wire) Addr() string { return w.listener.Addr().String() }

// Lead lets new connections lead to an address.
func (w *Wire) Lead(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
}

// LoseAnswers loses what comes back, or ends that, and with it the connections
// from which something is missing.
func (w *Wire) LoseAnswers(lose bool) {
	if w.deaf.Swap(lose) && !lose {
		w.Cut(true)
		w.Cut(false)
	}
}

// Swallow loses everything both ways and tells neither side, as a firewall that
// has forgotten the connection does, or ends that.
func (w *Wire) Swallow(all bool) {
	w.mute.Store(all)
	w.LoseAnswers(all)
}

// Clog makes what comes back wait, as for a reader that does not read, or lets
// it go.
func (w *Wire) Clog(clog bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case clog && w.clogged == nil:
		w.clogged = make(chan struct{})
	case !clog && w.clogged != nil:
		close(w.clogged)
		w.clogged = nil
	}
}

// Cut cuts the wire or mends it.
func (w *Wire) Cut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if !cut {
		return
	}
	for c := range w.conns {
		c.Close()
	}
}
