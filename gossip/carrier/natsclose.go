package carrier

import (
	"context"
	"fmt"
)

// Close publishes what is queued, waits for the server to have it, and
// disconnects; the first two within ctx, at most five seconds. An error says
// that messages may have been lost; the carrier is closed all the same. Once
// Close returns, neither handler nor OnChange is called any more; neither may
// call Close. Further calls wait for the first and return what it returned.
func (n *NATS) Close(ctx context.Context) error {
	n.once.Do(func() {
		n.closing.Store(true)
		ctx, cancel := context.WithTimeout(ctx, maxLeave)
		defer cancel()
		if err := n.flush(ctx); err != nil {
			n.err = fmt.Errorf("send what is queued before leaving NATS: %w", err)
		}
		n.halt()
	})
	return n.err
}

// flush waits until the server has what was queued before, or ctx ends. Without
// a connection nothing is queued.
func (n *NATS) flush(ctx context.Context) error {
	if !n.link.up.Load() {
		return nil
	}
	mark := publication{flushed: make(chan struct{})}
	select {
	case n.queue <- mark:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-mark.flushed:
		return n.conn.FlushWithContext(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// halt disconnects and waits for every goroutine that runs code of this
// package. A write that hangs ends by the flusher's time-out of two seconds.
func (n *NATS) halt() {
	n.overrun()
	n.gate.close()
	n.stop()
	n.conn.Close()
	n.running.Wait()
	n.ended.Wait()
	n.link.up.Store(false)
}
