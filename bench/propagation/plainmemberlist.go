package propagation

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"rescind/bench/pace"
	"rescind/bench/window"
)

// measurePlainMemberlist broadcasts small messages by memberlist's own queue, at
// its default LAN settings, and measures from the queueing to the receipt by
// every other member.
func measurePlainMemberlist(ctx context.Context, l window.Load) (c window.Curve, err error) {
	group := make([]*plainMember, 0, l.Nodes)
	defer func() {
		for _, m := range group {
			err = errors.Join(err, m.list.Shutdown())
		}
	}()
	for i := range l.Nodes {
		m, err := startPlain(i)
		if err != nil {
			return c, err
		}
		group = append(group, m)
		if _, err := m.list.Join([]string{group[0].list.LocalNode().Address()}); err != nil {
			return c, err
		}
	}
	for _, m := range group {
		for m.list.NumMembers() < l.Nodes {
			select {
			case <-ctx.Done():
				return c, ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return broadcastPlain(ctx, group, l)
}

func broadcastPlain(ctx context.Context, group []*plainMember, l window.Load) (window.Curve, error) {
	n := l.Count(l.Duration)
	rec := window.NewRecorder(n, len(group)-1, l.GiveUp)
	called := make([]time.Time, n)
	for to, m := range group {
		m.arrived.Store(new(func(i uint64) { rec.Arrived(int(i), to, time.Since(called[i])) }))
	}
	started, err := pace.Calls(ctx, l.Rate, n, func(i int, _ time.Time) {
		msg := make([]byte, rivalMessage)
		binary.BigEndian.PutUint64(msg, uint64(i))
		called[i] = time.Now()
		group[i%len(group)].publish(uint64(i), msg)
	})
	if started == n {
		rec.Await()
	}
	for _, m := range group {
		m.arrived.Store(nil)
	}
	return rec.Curve(started), err
}

// plainMember is a member that passes on what is new to it, as users of
// memberlist's queue do.
type plainMember struct {
	list    *memberlist.Memberlist
	queue   *memberlist.TransmitLimitedQueue
	arrived atomic.Pointer[func(uint64)]

	mu   sync.Mutex // guards seen
	seen map[uint64]bool
}

func startPlain(i int) (*plainMember, error) {
	m := &plainMember{seen: map[uint64]bool{}}
	cfg := memberlist.DefaultLANConfig()
	cfg.Name = fmt.Sprint("plain-", i)
	cfg.BindAddr, cfg.BindPort, cfg.AdvertisePort = "127.0.0.1", 0, 0
	cfg.Logger = log.New(io.Discard, "", 0)
	cfg.Delegate = m
	m.queue = &memberlist.TransmitLimitedQueue{RetransmitMult: cfg.RetransmitMult, NumNodes: func() int {
		if m.list == nil {
			return 1
		}
		return m.list.NumMembers()
	}}
	list, err := memberlist.Create(cfg)
	m.list = list
	return m, err
}

// publish queues a message of this member.
func (m *plainMember) publish(i uint64, msg []byte) {
	m.fresh(i)
	m.queue.QueueBroadcast(plainMessage(msg))
}

// fresh reports whether i is new here, and remembers it.
func (m *plainMember) fresh(i uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.seen[i]
	m.seen[i] = true
	return !known
}

// NotifyMsg is part of memberlist.Delegate, as are those below.
func (m *plainMember) NotifyMsg(b []byte) {
	f := m.arrived.Load()
	if f == nil || len(b) != rivalMessage {
		return
	}
	if i := binary.BigEndian.Uint64(b); m.fresh(i) {
		(*f)(i)
		m.queue.QueueBroadcast(plainMessage(append([]byte{}, b...)))
	}
}

func (m *plainMember) GetBroadcasts(overhead, limit int) [][]byte {
	return m.queue.GetBroadcasts(overhead, limit)
}
func (*plainMember) NodeMeta(int) []byte           { return nil }
func (*plainMember) LocalState(bool) []byte        { return nil }
func (*plainMember) MergeRemoteState([]byte, bool) {}

// plainMessage is a message that replaces no other.
type plainMessage []byte

func (m plainMessage) Message() []byte                     { return m }
func (plainMessage) Invalidates(memberlist.Broadcast) bool { return false }
func (plainMessage) UniqueBroadcast()                      {}
func (plainMessage) Finished()                             {}
