package carrier

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// MemberlistConfig says what to listen at and whom to join.
type MemberlistConfig struct {
	// Cluster is the label of every packet and stream, 1 to 64 bytes; others
	// are refused unread.
	Cluster string

	// Name is shown to people, at most 255 bytes, and need not be unique.
	Name string

	// Node is this node's address for Send.
	Node Node

	// Bind is the host:port to listen at, UDP and TCP. Port 0 picks one; an
	// empty host is every interface.
	Bind string

	// Advertise is the host:port at which others reach this node. Port 0 is
	// the bound one. Empty: derived from Bind; where that names every
	// interface, this host's private address, if there is no doubt about it.
	Advertise string

	// Join lists seeds, host:port, dns+name:port or dnssrv+name. Names are looked up again
	// for every attempt, and all their addresses are tried. Empty: wait to be
	// joined.
	Join []string

	// Regional says that other carriers alone reach some members, by design.
	// It goes into Status and changes nothing else.
	Regional bool

	// Keys encrypt and authenticate memberlist's own traffic, 32 bytes each: the
	// first is used, all are accepted. None: no encryption, and then only
	// loopback addresses are allowed.
	Keys [][]byte

	// MaxStreamBytes bounds what the connections of others take at one time, before
	// they have shown a key. 0 means 64 MiB.
	MaxStreamBytes int64

	// Handler receives the messages; required.
	Handler Handler

	// Logger receives what an operator should know, and at debug level what
	// memberlist logs. nil means slog.Default().
	Logger *slog.Logger

	// OnChange, if not nil, is called after members came, left or died, by one
	// goroutine at a time. Several changes may become one call. It must not
	// close the carrier.
	OnChange func()
}

func (c *MemberlistConfig) validate() error {
	if err := checkMembership(c.Cluster, c.Name, c.Handler); err != nil {
		return err
	}
	if err := checkKeys(c.Keys); err != nil {
		return err
	}
	for _, seed := range c.Join {
		if err := checkSeed(seed); err != nil {
			return err
		}
	}
	return nil
}

// Memberlist is the carrier that needs no broker: every member talks to every
// other. Its methods are safe for concurrent use.
type Memberlist struct {
	cfg       MemberlistConfig
	log       *slog.Logger
	bound     netip.AddrPort
	advertise netip.AddrPort
	transport *transport
	list      *memberlist.Memberlist
	setKeys   sync.Mutex          // orders SetKeys
	keys      *memberlist.Keyring // nil: no encryption

	roster    *roster
	streams   streams
	datagrams chan datagram
	marked    []byte // the datagram being sent; of sendDatagrams alone
	gate      gate
	counters  counters
	changed   chan struct{} // of capacity 1

	nobody    atomic.Bool // every seed was reached, and is this member
	paths     paths
	unreached atomic.Pointer[string] // why nobody can send to this member; nil: not known to be so

	tried   atomic.Bool // each seed, once
	closing atomic.Bool
	once    sync.Once
	err     error // of Close
	stop    context.CancelFunc
	running sync.WaitGroup
}

// datagrams waiting to be sent; a few megabytes at most.
const maxDatagrams = 4096

// datagram is a small message, or with flushed set a mark in the queue.
type datagram struct {
	to      *member // nil: all
	msg     []byte
	flushed chan struct{}
}

// NewMemberlist starts the carrier and returns when it listens. Seeds are
// joined afterwards and for ever, so that it does not matter in which order
// members start. The caller must Close it.
func NewMemberlist(cfg MemberlistConfig) (*Memberlist, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Memberlist{
		cfg: cfg, log: cmp.Or(cfg.Logger, slog.Default()),
		roster:    newRoster(uniqueName(cfg.Name, cfg.Node)),
		datagrams: make(chan datagram, maxDatagrams),
		changed:   make(chan struct{}, 1),
		stop:      stop,
	}
	m.gate = gate{handler: cfg.Handler, counters: &m.counters}
	m.streams = streams{ctx: ctx, counters: &m.counters, slots: make(chan struct{}, maxStreams)}
	m.streams.send = func(to *memberlist.Node, msg []byte) error { return m.list.SendReliable(to, msg) }
	if err := m.listen(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	m.running.Go(func() { m.sendDatagrams(ctx) })
	m.running.Go(func() { m.keepJoined(ctx) })
	m.running.Go(func() { m.notify(ctx) })
	m.running.Go(func() { m.watchPaths(ctx) })
	m.log.Info("gossip: listening", "address", m.Addr(), "advertised", m.Advertised())
	return m, nil
}

// Name is "gossip".
func (m *Memberlist) Name() string { return "gossip" }

// Addr returns the host:port that the carrier listens at, with the actual
// port; Advertised returns what other members are told.
func (m *Memberlist) Addr() string { return m.bound.String() }

// Advertised returns the host:port at which other members reach this one.
func (m *Memberlist) Advertised() string {
	return net.JoinHostPort(m.advertise.Addr().String(), strconv.Itoa(int(m.advertise.Port())))
}

// Peers returns the other members, those that left or died in the last ten
// minutes included, ordered by name.
func (m *Memberlist) Peers() []Peer { return m.roster.peers(time.Now()) }

// Limit returns how many bytes a message to a member may have now, with to 0 to
// whomever; 0 if it is not known to be alive.
func (m *Memberlist) Limit(to Node) int {
	if to != 0 && m.roster.find(to) == nil || len(m.roster.reachable()) == 0 {
		return 0
	}
	if member := m.roster.find(to); member != nil && member.datagramsOnly() {
		return MaxDatagram
	}
	return MaxMessage
}

// Status returns the carrier's condition.
func (m *Memberlist) Status() Status {
	members := len(m.roster.reachable())
	s := Status{Name: m.Name(), Connected: members > 0, Alone: members == 0 && m.nobody.Load(), Address: m.Addr(), Members: members, Regional: m.cfg.Regional, Largest: m.Limit(0)}
	m.counters.fill(&s)
	s.Advertised, s.Paths = m.Advertised(), m.Paths()
	if why := m.unreached.Load(); why != nil && members == 0 {
		s.Unreached = *why
	}
	s.Refused = m.transport.inbound.Stats().Refused + m.transport.bytes.Stats().Refused
	return s
}

// notify calls OnChange apart from memberlist's callbacks, which hold a lock.
func (m *Memberlist) notify(ctx context.Context) {
	for {
		select {
		case <-m.changed:
			if m.cfg.OnChange != nil {
				m.cfg.OnChange()
			}
		case <-ctx.Done():
			return
		}
	}
}
