package carrier

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/hashicorp/memberlist"
)

const (
	// A lane holds what a healthy member takes within a second or so; more
	// would only arrive late.
	maxLaneMessages = 1024
	// maxTogether bounds what one connection brings where several small messages
	// wait: where datagrams do not get through, each would else need its own.
	maxTogether  = 256 << 10
	maxLaneBytes = 8 << 20

	// maxStreams bounds the transfers at one time, each of which holds some
	// three copies of its message.
	maxStreams = 16
)

// lane is the queue of large messages to one member.
type lane struct {
	mu    sync.Mutex // guards the fields below
	queue [][]byte
	size  int  // bytes in queue
	busy  bool // a worker is on it
	shut  bool // the member is gone, or the carrier closes
}

// streams sends large messages. memberlist dials for each of them, and a dial
// to a host that is down takes seconds. Therefore every member has a lane of
// its own with at most one worker, which lives while the lane is not empty.
type streams struct {
	ctx      context.Context // ends when the carrier is halted
	send     func(to *memberlist.Node, msg []byte) error
	counters *counters
	slots    chan struct{} // of capacity maxStreams

	mu      sync.Mutex // orders running.Go before running.Wait
	closed  bool
	running sync.WaitGroup
}

// push queues msg for m and reports whether there was room.
func (s *streams) push(m *member, msg []byte) bool {
	l := &m.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut || len(l.queue) >= maxLaneMessages || l.size+len(msg) > maxLaneBytes {
		s.counters.drop(1)
		return false
	}
	if !l.busy && !s.start(m) {
		s.counters.drop(1)
		return false
	}
	l.busy = true
	l.queue = append(l.queue, msg)
	l.size += len(msg)
	return true
}

func (s *streams) start(m *member) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Go(func() { s.work(m) })
	}
	return !s.closed
}

// work sends what is in m's lane. A failure empties the lane: what waits behind
// would fail after the same time-out, and is repaired above anyway.
func (s *streams) work(m *member) {
	for framed, count, size := m.lane.next(); framed != nil; framed, count, size = m.lane.next() {
		if err := s.transfer(m, framed); err != nil {
			s.counters.drop(count)
			s.counters.fail(err)
			s.empty(&m.lane, false)
			continue
		}
		s.counters.sentMessages.Add(uint64(count))
		s.counters.sentBytes.Add(uint64(size))
	}
}

// transfer waits for its turn each time, so that one busy lane does not keep
// the others waiting.
func (s *streams) transfer(m *member, framed []byte) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
		return s.send(m.node, framed)
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// next takes out what goes by the next connection, in a frame: one message, or
// several small ones. It returns nil, and ends the worker's claim, if there is none.
func (l *lane) next() (framed []byte, count, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.queue, l.busy = nil, false
		return nil, 0, 0
	}
	for count < len(l.queue) && (count == 0 || size+len(l.queue[count]) <= maxTogether) {
		size += len(l.queue[count])
		count++
	}
	if count == 1 {
		framed = frame(frameData, l.queue[0])
	} else {
		framed = []byte{frameMany}
		for _, msg := range l.queue[:count] {
			framed = append(binary.AppendUvarint(framed, uint64(len(msg))), msg...)
		}
	}
	clear(l.queue[:count]) // else the slice would hold them until all are sent
	l.queue = l.queue[count:]
	l.size -= size
	return framed, count, size
}

// empty drops what is queued; with shut, also what would be pushed later.
func (s *streams) empty(l *lane, shut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.counters.drop(len(l.queue))
	l.queue, l.size = nil, 0
	l.shut = l.shut || shut
}

// close refuses new workers and waits for the running ones, at most until ctx
// ends or the carrier is halted.
func (s *streams) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		s.running.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
