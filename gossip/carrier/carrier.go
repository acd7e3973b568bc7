package carrier

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// MaxMessage bounds a message on a carrier, in bytes, and equals the
	// default limit of NATS servers. Larger ones are dropped.
	MaxMessage = 1 << 20

	// MaxDatagram is the largest message that Memberlist sends as a datagram,
	// in bytes. With memberlist's own framing and encryption it stays below
	// 1,400, which common tunnels and overlays carry in one piece.
	MaxDatagram = 1200

	maxCluster = 64  // bytes of a cluster's name; part of every datagram
	maxName    = 255 // bytes of a member's name; part of the member's metadata
)

// Node addresses one member: the random origin of its data folder.
type Node uint64

// String returns 16 hexadecimal digits.
func (n Node) String() string { return fmt.Sprintf("%016x", uint64(n)) }

// Handler receives every message that arrives. via is the Name of the
// carrier. It may be called by several goroutines at once, must not block
// (it would hold up everything that arrives behind), must not close the
// carrier, and owns msg.
type Handler func(via string, msg []byte)

// PeerState is what a carrier knows of another member.
type PeerState string

// The states of a peer. Memberlist tells suspicion, the seconds between a
// missed probe and death, to nobody: a suspect is still alive here.
const (
	PeerAlive PeerState = "alive"
	PeerLeft  PeerState = "left" // it said goodbye
	PeerDead  PeerState = "dead" // it stopped answering
)

// Peer is another member as a carrier sees it.
type Peer struct {
	Node    Node   // 0 if its metadata are of an unknown version
	Name    string // for people; not necessarily unique
	Address string // host:port
	State   PeerState
	Since   time.Time // when this node learned of the state
}

// Status is a carrier's condition at one moment. Alone is the only word of it on
// absence: over NATS, that the connection and its subscriptions have stood for a
// while, so that whoever speaks is heard; with memberlist, that every seed was
// reached and is this member itself, or that there are no seeds. A seed that
// refuses, does not answer or has another key is not "nobody". Counters start at 0 with the
// carrier and count messages once per destination; a NATS broadcast has one.
type Status struct {
	Name       string // "gossip" or "nats"
	Connected  bool   // it reaches another member; or a NATS server, which has its subscriptions
	Address    string // the address it listens at, or the server it is connected to, without credentials
	Alone      bool   // it works, and can say that nobody else is there: see below
	Members    int    // other members known to be alive; always 0 for NATS
	Advertised string // the address that other members are told; empty for NATS
	Unreached  string // why nobody can send to this node at that address; empty: not known to be so
	Paths      []Path // what gets through to and from the members that are alive; none for NATS
	Largest    int    // bytes that a message may have now: what the server accepts; 0 while not connected
	Regional   bool   // not all members are meant to be reached by it
	Refusal    string // why the server and this node do not accept each other's credentials; empty: not known to be so

	Sent, SentBytes         uint64 // handed to the network
	Received, ReceivedBytes uint64 // handed to the handler
	Dropped                 uint64 // not sent: queue full, too large, not connected, failed or closed
	TooLarge                uint64 // of Dropped, those that were larger than Largest
	Overrun                 uint64 // arrived faster than the handler took them, and lost
	Refused                 uint64 // connections of others for which there was no room; always 0 for NATS
	Errors                  uint64 // failed sends, joins and connections, malformed messages
	Reconnects              uint64 // connections made anew; always 0 for Memberlist
	LoginsRefused           uint64 // connections that ended with a Refusal; always 0 for Memberlist

	// Foreign counts what came from members whose key does not fit, ForeignAt says
	// when last. The transport over NATS does not look at what it moves: there it is
	// found by whoever opens the messages.
	Foreign   uint64
	ForeignAt time.Time // zero: never

	LastError   string    // of Errors; holds no credentials
	LastErrorAt time.Time // zero: none yet
}

var (
	errTooLarge = fmt.Errorf("message is empty or larger than %d bytes", MaxMessage)
)

// sendable reports whether msg has a size that carriers move. Seal returns an
// empty message for one that is too large.
func sendable(msg []byte) bool { return len(msg) > 0 && len(msg) <= MaxMessage }

func checkMembership(cluster, name string, handler Handler) error {
	switch {
	case cluster == "":
		return errors.New("the cluster's name is empty")
	case len(cluster) > maxCluster:
		return fmt.Errorf("the cluster's name has %d bytes; at most %d are allowed", len(cluster), maxCluster)
	case len(name) > maxName:
		return fmt.Errorf("the node's name has %d bytes; at most %d are allowed", len(name), maxName)
	case handler == nil:
		return errors.New("the handler is missing")
	}
	return nil
}

// gate stands before the handler, so that a closed carrier no longer calls it:
// memberlist and nats.go both have goroutines that outlive their shutdown for a
// moment.
type gate struct {
	handler  Handler
	counters *counters

	mu   sync.RWMutex // held for reading while the handler runs
	shut bool
}

func (g *gate) deliver(via string, msg []byte) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.shut {
		return
	}
	g.counters.received(len(msg))
	g.handler(via, msg)
}

// close waits for the handler to return, and lets nothing in any more.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}
