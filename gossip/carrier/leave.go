package carrier

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxLeave bounds the leaving where ctx has no deadline.
const maxLeave = 5 * time.Second

// Close sends what is queued, tells the other members that this one leaves, and
// stops; all within ctx, of which the deadline counts, at most five seconds.
// An error says that the others may take this member for dead; the carrier is
// closed all the same. Once Close returns, the handler is not called any more.
// Further calls wait for the first and return what it returned.
func (m *Memberlist) Close(ctx context.Context) error {
	m.once.Do(func() {
		m.closing.Store(true)
		ctx, cancel := context.WithTimeout(ctx, maxLeave)
		defer cancel()
		m.err = m.leave(ctx)
		m.err = errors.Join(m.err, m.halt())
	})
	return m.err
}

// leaveWithin bounds the time in which memberlist spreads the news by gossip.
// That is the second way: everybody gets the goodbye straight.
const leaveWithin = 500 * time.Millisecond

func (m *Memberlist) leave(ctx context.Context) error {
	if err := m.flush(ctx); err != nil {
		return fmt.Errorf("send what is queued before leaving gossip: %w", err)
	}
	m.goodbye()
	deadline, _ := ctx.Deadline()
	if err := m.list.Leave(max(min(time.Until(deadline), leaveWithin), time.Millisecond)); err != nil {
		// Usual where all members leave together. They have had the goodbye.
		m.log.Debug("memberlist could not spread the news of leaving", "error", err)
	}
	m.goodbye() // again, since datagrams get lost
	return nil
}

// goodbye makes the difference between left and dead: memberlist knows it, but
// does not tell.
func (m *Memberlist) goodbye() {
	for _, to := range m.roster.reachable() {
		if err := m.list.SendBestEffort(to.node, frame(frameGoodbye, []byte(m.roster.self))); err != nil {
			m.counters.fail(err)
		}
	}
}

// halt stops without a word, as a crash would, and waits for every goroutine of
// this package. memberlist's own end soon after: a probe under way, at its
// time-out.
func (m *Memberlist) halt() error {
	m.closing.Store(true)
	m.gate.close()
	m.stop()
	err := m.list.Shutdown()
	m.streams.running.Wait()
	m.running.Wait()
	return err
}
