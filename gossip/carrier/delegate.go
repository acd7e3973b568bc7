package carrier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// What Memberlist sends is one byte that says what it is, and the rest.
const (
	frameData    = 0 // the rest is a message
	frameMany    = 2 // the rest is messages, each after its length
	frameGoodbye = 1 // the rest is the memberlist name of a process that leaves
)

func frame(kind byte, rest []byte) []byte {
	return append(append(make([]byte, 0, 1+len(rest)), kind), rest...)
}

var errFrame = errors.New("malformed message from a member")

// delegate receives memberlist's callbacks. They hold up its packet loop or
// come under its lock, so that nothing here may block or call back.
type delegate struct{ m *Memberlist }

// NodeMeta is called for every announcement of this node.
func (d delegate) NodeMeta(int) []byte {
	return appendMetadata(nil, d.m.cfg.Node, d.m.cfg.Name)
}

// NotifyMsg copies the message: memberlist reuses buf, and keeps each datagram
// in a buffer of 64 KiB that a kept slice would pin.
func (d delegate) NotifyMsg(buf []byte) {
	switch {
	case len(buf) > 1 && buf[0] == frameData && sendable(buf[1:]):
		d.m.gate.deliver(d.m.Name(), bytes.Clone(buf[1:]))
	case len(buf) > 1 && buf[0] == frameMany:
		d.deliverMany(buf[1:])
	case len(buf) > 1 && buf[0] == frameGoodbye:
		d.m.lost(d.m.roster.goodbye(string(buf[1:]), time.Now()), PeerLeft)
	default:
		d.m.counters.fail(errFrame)
	}
}

// deliverMany takes apart what a lane has put together.
func (d delegate) deliverMany(buf []byte) {
	for len(buf) > 0 {
		size, n := binary.Uvarint(buf)
		if n <= 0 || size > uint64(len(buf)-n) || !sendable(buf[n:n+int(size)]) {
			d.m.counters.fail(errFrame)
			return
		}
		d.m.gate.deliver(d.m.Name(), bytes.Clone(buf[n:n+int(size)]))
		buf = buf[n+int(size):]
	}
}

// The replication core does its own anti-entropy, and has its own broadcast;
// memberlist spreads only its membership.

func (delegate) GetBroadcasts(int, int) [][]byte      { return nil }
func (delegate) LocalState(bool) []byte               { return nil }
func (delegate) MergeRemoteState(buf []byte, _ bool)  {}
func (d delegate) NotifyUpdate(node *memberlist.Node) { d.NotifyJoin(node) }

func (d delegate) NotifyJoin(node *memberlist.Node) {
	m := d.m
	if node.Name == m.roster.self {
		return
	}
	old, err := m.roster.join(node, time.Now())
	if err != nil {
		m.counters.fail(fmt.Errorf("%s at %s: %w", node.Name, node.Address(), err))
	}
	if old != nil {
		m.streams.empty(&old.lane, true)
	}
	m.log.Debug("gossip: a member joined", "member", node.Name, "address", node.Address())
	m.changedSoon()
}

func (d delegate) NotifyLeave(node *memberlist.Node) {
	if node.Name != d.m.roster.self {
		d.m.lost(d.m.roster.gone(node.Name, time.Now()), PeerDead)
	}
}

// lost stops sending to a member that left or died; member is nil if that was
// known.
func (m *Memberlist) lost(member *member, state PeerState) {
	if member == nil {
		return
	}
	m.streams.empty(&member.lane, true)
	m.log.Info("gossip: a member is gone", "member", member.peer.Name, "address", member.peer.Address, "state", string(state))
	m.changedSoon()
}

// changedSoon wakes the goroutine that calls OnChange; several changes may
// become one call.
func (m *Memberlist) changedSoon() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}
