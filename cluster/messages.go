package cluster

import (
	"errors"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/gossip/carrier"
)

// Bounds of what waits for the loop.
const (
	maxArrivals     = 4096
	maxArrivedBytes = 64 << 20
)

// arrival is a message that waits, and its length on the wire.
type arrival struct {
	gossip.Message
	bytes int64
}

// inbox holds what has arrived, bounded by number and by bytes. Invariant: bytes
// is at least the sum over messages.
type inbox struct {
	messages chan arrival
	bytes    *atomic.Int64
}

func newInbox() inbox {
	return inbox{messages: make(chan arrival, maxArrivals), bytes: new(atomic.Int64)}
}

// put reports false if there is no room.
func (b inbox) put(a arrival) bool {
	if b.bytes.Add(a.bytes) <= maxArrivedBytes {
		select {
		case b.messages <- a:
			return true
		default:
		}
	}
	b.bytes.Add(-a.bytes)
	return false
}

// taken notes that a is no longer here.
func (b inbox) taken(a arrival) { b.bytes.Add(-a.bytes) }

// receive takes a message from a carrier. It never blocks: what does not fit
// is dropped, and repaired later.
func (n *Node) receive(via string, sealed []byte) {
	path := pathOf(via)
	if err := n.guard.Seen(path, sealed); err != nil {
		n.again(err) // a second copy is not worth opening
		return
	}
	plain, err := n.sealer.Open(sealed)
	if err != nil {
		if errors.Is(err, carrier.ErrForged) {
			n.lastForeign.Store(time.Now().UnixNano())
		}
		n.refuse("a message that is not sealed with this cluster's key", err)
		return
	}
	m, err := gossip.Decode(plain)
	switch {
	case errors.Is(err, gossip.ErrVersion):
		n.counters.otherVersion.Add(1)
		n.lastOther.Store(int64(steady()))
		n.refuse("a node of another version; upgrade the older ones", err)
		return
	case errors.Is(err, gossip.ErrUnsigned):
		if c := n.counters.unsigned.Add(1); c&(c-1) == 0 { // at a bounded rate
			n.log.Warn("ignored a message that says it is from a member that has not signed it: a node that has the cluster key speaks in another's name", "so_far", c)
		}
		return
	case err != nil:
		n.counters.malformed.Add(1)
		n.log.Debug("ignored a message that could not be understood", "error", err)
		return
	}
	apart := time.Duration(rescind.MillisOf(n.cfg.now())-m.Clock) * time.Millisecond
	if err := n.guard.Admit(path, sealed, apart.Abs() <= rescind.MaxClockSkew); err != nil {
		n.again(err)
		return
	}
	// News takes effect at once. The core will say the same a little later, and
	// records may be applied any number of times.
	if b, ok := m.Body.(*gossip.Batch); ok {
		n.counters.first(via, n.apply(b.Records))
	}
	if !n.inbox.put(arrival{m, int64(len(plain))}) {
		n.counters.dropped.Add(1)
	}
}

// pathOf numbers the transports.
func pathOf(via string) int {
	if via == "gossip" {
		return 0
	}
	return 1
}

// again counts a message that has come before. By another transport that is how it should
// be; else somebody sends what it has recorded, or the network doubles datagrams.
func (n *Node) again(err error) {
	if errors.Is(err, carrier.ErrDuplicate) {
		n.counters.duplicates.Add(1)
		return
	}
	if c := n.counters.replayed.Add(1); c&(c-1) == 0 { // at a bounded rate
		n.log.Warn("ignored a message that has come before: somebody replays it, or the network doubles it", "so_far", c)
	}
}

func (n *Node) refuse(what string, err error) {
	if c := n.counters.refused.Add(1); c&(c-1) == 0 { // 1, 2, 4, 8, ...: a bounded rate
		n.log.Warn("ignored "+what, "error", err, "so_far", c)
	}
}

// move gives a message to the carriers. Small ones go by all of them, and the
// first to arrive wins. Large ones, which are answers to a request, go by one,
// a different one each time, so that a retry tries another way.
func (n *Node) move(out gossip.Outgoing) {
	plain := out.Message.Append(nil)
	n.counters.sent(out.Message.Body, len(plain))
	if len(n.carriers) == 0 {
		return
	}
	sealed := n.sealer.Seal(plain)
	if out.To == 0 {
		for _, c := range n.carriers {
			c.Broadcast(sealed)
		}
		return
	}
	to := carrier.Node(out.To)
	if len(sealed) <= smallMessage {
		for _, c := range n.carriers {
			c.Send(to, sealed)
		}
		return
	}
	turn := int(n.turn.Add(1))
	for i := range n.carriers {
		if n.carriers[(turn+i)%len(n.carriers)].Send(to, sealed) {
			return
		}
	}
}

// smallMessage is what fits one datagram.
const smallMessage = 1200
