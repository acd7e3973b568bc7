package carrier

import (
	"context"
	"fmt"
)

// Broadcast sends msg to every other member that is alive as far as known. It
// never blocks; what finds its queue full is dropped and counted. Nobody may
// modify msg afterwards.
func (m *Memberlist) Broadcast(msg []byte) {
	switch {
	case m.closing.Load():
		m.counters.drop(1)
	case !sendable(msg):
		m.counters.drop(1)
		m.counters.fail(errTooLarge)
	case len(msg) > MaxDatagram:
		for _, to := range m.roster.reachable() {
			m.streams.push(to, msg)
		}
	default:
		m.enqueue(datagram{msg: msg}, len(m.roster.reachable()))
	}
}

// Send sends msg to one member. It returns false, at once, if that member is
// not known to be alive or its queue is full; true promises nothing. Nobody may
// modify msg afterwards.
func (m *Memberlist) Send(to Node, msg []byte) bool {
	if m.closing.Load() || !sendable(msg) {
		m.counters.drop(1)
		return false
	}
	member := m.roster.find(to)
	switch {
	case member == nil:
		return false
	case len(msg) > MaxDatagram && member.datagramsOnly():
		m.counters.drop(1)
		return false // another carrier, or smaller parts
	case len(msg) > MaxDatagram:
		return m.streams.push(member, msg)
	default:
		return m.enqueue(datagram{to: member, msg: msg}, 1)
	}
}

func (m *Memberlist) enqueue(d datagram, destinations int) bool {
	select {
	case m.datagrams <- d:
		return true
	default:
		m.counters.drop(destinations)
		return false
	}
}

// sendDatagrams sends what is queued until ctx ends. Sending a datagram waits
// for nobody but this host's own network buffer.
func (m *Memberlist) sendDatagrams(ctx context.Context) {
	for {
		select {
		case d := <-m.datagrams:
			m.sendDatagram(d)
		case <-ctx.Done():
			return
		}
	}
}

func (m *Memberlist) sendDatagram(d datagram) {
	if d.flushed != nil {
		close(d.flushed)
		return
	}
	m.marked = append(append(m.marked[:0], dataMark), d.msg...)
	if d.to != nil {
		m.sendSmall(d.to, d.msg)
		return
	}
	for _, to := range m.roster.reachable() {
		m.sendSmall(to, d.msg)
	}
}

// sendSmall sends what m.marked holds as a datagram, or msg by a stream where
// datagrams are known to be lost.
func (m *Memberlist) sendSmall(to *member, msg []byte) {
	if to.streamsOnly() {
		m.streams.push(to, msg)
		return
	}
	m.sendMarked(to)
}

func (m *Memberlist) sendMarked(to *member) {
	if err := m.transport.send(to.addr, m.marked); err != nil {
		m.counters.drop(1)
		m.counters.fail(fmt.Errorf("send to %s: %w", to.addr, err))
		return
	}
	m.counters.sent(len(m.marked) - 1)
}

// receive takes a datagram of ours. Anybody can have sent it: that it is sealed
// is for the handler to see.
func (m *Memberlist) receive(msg []byte) {
	if !sendable(msg) {
		m.counters.fail(errFrame)
		return
	}
	m.gate.deliver(m.Name(), msg)
}

// flush waits until what was queued before has been sent, or ctx ends.
func (m *Memberlist) flush(ctx context.Context) error {
	mark := datagram{flushed: make(chan struct{})}
	select {
	case m.datagrams <- mark:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-mark.flushed:
		return m.streams.close(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
