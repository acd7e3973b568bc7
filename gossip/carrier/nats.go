package carrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"rescind/internal/natslogin"
)

// NATSConfig says which server to use.
type NATSConfig struct {
	// Cluster is part of the subjects, 1 to 64 bytes.
	Cluster string

	// URL lists servers, separated by commas. It may be empty with InProcess.
	URL string

	// Login says who this node is there, and which servers it believes. Where its
	// files change the connection is made anew.
	Login natslogin.Login

	// Name is shown in the server's monitoring, at most 255 bytes.
	Name string

	// Node is this node's address for Send.
	Node Node

	// InProcess, if not nil, is connected to in place of URL: an Embedded
	// server.
	InProcess nats.InProcessConnProvider

	// MaxPending bounds the messages that wait for the handler; beyond, they are
	// dropped and counted. 0 means 8,192.
	MaxPending int

	// Handler receives the messages; required.
	Handler Handler

	// Logger receives what an operator should know. nil means slog.Default().
	Logger *slog.Logger

	// OnChange, if not nil, is called after a connection was made or lost, by
	// one goroutine at a time. It must not close the carrier.
	OnChange func()
}

func (c *NATSConfig) validate() error {
	if err := checkMembership(c.Cluster, c.Name, c.Handler); err != nil {
		return err
	}
	if c.URL == "" && c.InProcess == nil {
		return errors.New("nats.url is empty")
	}
	return c.Login.Check(c.URL)
}

// NATS is the carrier over a NATS server, core publish and subscribe, one
// publish per message. Its methods are safe for concurrent use.
type NATS struct {
	cfg    NATSConfig
	log    *slog.Logger
	conn   *nats.Conn
	queue  chan publication
	queued atomic.Int64 // bytes of the messages in queue

	subsMu sync.Mutex // guards the fields below
	subs   []*nats.Subscription
	lost   uint64 // the most that overrun has seen

	gate     gate
	counters counters
	link     link
	says     sayings
	loops    loops

	closing atomic.Bool
	once    sync.Once
	err     error // of Close
	stop    context.CancelFunc
	running sync.WaitGroup // the publisher
	ended   sync.WaitGroup // nats.go's goroutines that call us
}

const (
	maxPublications      = 4096 // waiting to be published
	maxPublicationsBytes = 64 << 20

	// What waits for the handler, which is quick; beyond, nats.go drops.
	maxPending      = 8192
	maxPendingBytes = 64 << 20
)

// publication is a message, or with flushed set a mark in the queue.
type publication struct {
	subject string
	msg     []byte
	flushed chan struct{}
}

// NewNATS returns before there is a connection, and fails only for settings
// that can't work: it dials for ever. What is sent while there is no connection
// is dropped and counted. The caller must Close it.
func NewNATS(cfg NATSConfig) (*NATS, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &NATS{
		cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default()),
		queue: make(chan publication, maxPublications), stop: stop,
		says: sayings{period: 5 * time.Second},
	}
	n.gate = gate{handler: cfg.Handler, counters: &n.counters}
	if err := n.connect(); err != nil {
		stop()
		return nil, fmt.Errorf("nats: %s", redact(err.Error()))
	}
	n.running.Go(func() { n.publish(ctx) })
	n.running.Go(func() { n.proveLoops(ctx) })
	n.running.Go(func() { cfg.Login.Follow(ctx, n.renewed, n.unusable) })
	return n, nil
}

// Name is "nats".
func (n *NATS) Name() string { return "nats" }

// Peers returns nil: NATS does not tell who is there.
func (n *NATS) Peers() []Peer { return nil }

// Broadcast publishes msg to every other member. It never blocks; what finds
// the queue full or the connection lost is dropped and counted. Nobody may
// modify msg afterwards.
func (n *NATS) Broadcast(msg []byte) { n.enqueue(subjectAll(n.cfg.Cluster), msg) }

// Send publishes msg to one member. It returns false, at once, if there is no
// connection, the server does not take messages of that size, or the queue is
// full; true does not say that the member is there. Nobody may modify msg
// afterwards.
func (n *NATS) Send(to Node, msg []byte) bool {
	return n.enqueue(subjectNode(n.cfg.Cluster, to), msg)
}

func (n *NATS) enqueue(subject string, msg []byte) bool {
	// The link's copy of the connection's state is asked, because nats.go holds
	// its lock while it writes to a socket that may be full.
	if n.closing.Load() || !sendable(msg) || !n.link.takes(len(msg)) {
		n.counters.drop(1)
		if n.link.up.Load() && len(msg) > 0 {
			n.counters.tooLarge.Add(1)
		}
		return false
	}
	if n.queued.Add(int64(len(msg))) <= maxPublicationsBytes {
		select {
		case n.queue <- publication{subject: subject, msg: msg}:
			return true
		default:
		}
	}
	n.queued.Add(-int64(len(msg)))
	n.counters.drop(1)
	return false
}

// publish publishes what is queued until ctx ends. nats.Conn.Publish may block,
// which is why there is a queue before it.
func (n *NATS) publish(ctx context.Context) {
	for {
		select {
		case p := <-n.queue:
			n.publishOne(p)
		case <-ctx.Done():
			return
		}
	}
}

func (n *NATS) publishOne(p publication) {
	n.queued.Add(-int64(len(p.msg)))
	if p.flushed != nil {
		close(p.flushed)
		return
	}
	err := n.conn.Publish(p.subject, p.msg)
	if err == nil {
		n.counters.sent(len(p.msg))
		return
	}
	n.counters.drop(1)
	if !errors.Is(err, nats.ErrReconnectBufExceeded) { // not connected: that has been counted as such
		n.counters.fail(err)
	}
}

// Limit returns how many bytes a message may have now, to whomever: what the
// server accepts, or 0 while there is no connection.
func (n *NATS) Limit(Node) int {
	if !n.link.up.Load() {
		return 0
	}
	return int(min(n.link.maxPayload.Load(), MaxMessage))
}

// Status returns the carrier's condition.
func (n *NATS) Status() Status {
	s := Status{Name: n.Name(), Connected: n.link.up.Load() && n.loops.broken.Load() == nil, Alone: n.link.quiet() && n.loops.broken.Load() == nil && n.counters.receivedMessages.Load() == 0, Overrun: n.overrun(), Largest: n.Limit(0)}
	if server := n.link.server.Load(); server != nil {
		s.Address = *server
	}
	if why := n.link.login.Load(); why != nil {
		s.Refusal = *why
	}
	s.LoginsRefused = n.link.loginsRefused.Load()
	n.counters.fill(&s)
	return s
}
