package carrier

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// maxDatagram is the largest message that goes by UDP. With memberlist's and
// IP's headers and the cipher it fits an Ethernet frame.
const maxDatagram = 1200

// sendQueue bounds what waits for one member's TCP connection.
const sendQueue = 64

// MemberlistConfig configures the gossip carrier.
type MemberlistConfig struct {
	Cluster string // members of other clusters are not talked to
	Name    string // unique in the cluster
	Node    Node

	Bind      string   // host:port; port 0 picks one
	Advertise string   // host:port that others reach this node at; empty: the bound one
	Join      []string // seeds, host:port or dns+name:port

	// Key encrypts membership, 32 bytes. nil is for loopback addresses only.
	Key []byte

	Handler Handler
	Logger  *slog.Logger // nil means slog.Default()
}

// Memberlist is the gossip carrier: SWIM membership and failure detection by
// memberlist, and messages straight to every member. It does not use
// memberlist's own broadcast queue, which carries some hundred messages a
// second and loses some.
type Memberlist struct {
	cfg  MemberlistConfig
	log  *slog.Logger
	list *memberlist.Memberlist
	port int
	tally

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	once    sync.Once

	mu      sync.Mutex
	closing bool               // no goroutine is started any more
	members map[string]*member // the others, by name
}

// member is another node and what waits for it.
type member struct {
	node  *memberlist.Node
	id    Node
	large chan []byte // too large for a datagram
	stop  context.CancelFunc
}

// tally counts for Status.
type tally struct {
	sent, sentBytes, received, receivedBytes, dropped, errors, slow atomic.Uint64
}

func (t *tally) count(msg []byte) {
	t.sent.Add(1)
	t.sentBytes.Add(uint64(len(msg)))
}

func (t *tally) status(name string) Status {
	return Status{
		Name: name, Sent: t.sent.Load(), SentBytes: t.sentBytes.Load(),
		Received: t.received.Load(), ReceivedBytes: t.receivedBytes.Load(),
		Dropped: t.dropped.Load(), Errors: t.errors.Load(), Slow: t.slow.Load(),
	}
}

// NewMemberlist returns when the node listens. Its seeds need not be there
// yet: they are tried until one answers, and again now and then for as long as
// the node lives, so that a cluster that started in two halves becomes one.
func NewMemberlist(cfg MemberlistConfig) (*Memberlist, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Memberlist{
		cfg: cfg, log: cfg.Logger.With("carrier", "gossip"),
		ctx: ctx, stop: stop, members: make(map[string]*member),
	}
	mc, err := m.settings()
	if err != nil {
		stop()
		return nil, err
	}
	if m.list, err = memberlist.Create(mc); err != nil {
		stop()
		return nil, fmt.Errorf("listen on %s: %w", cfg.Bind, err)
	}
	m.port = int(m.list.LocalNode().Port)
	m.running.Go(func() { m.join(ctx) })
	return m, nil
}

func (m *Memberlist) settings() (*memberlist.Config, error) {
	host, port, err := splitAddress(m.cfg.Bind)
	if err != nil {
		return nil, fmt.Errorf("gossip.bind: %w", err)
	}
	if len(m.cfg.Key) == 0 && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("gossip.bind is %s; without a cluster key only loopback addresses are allowed", m.cfg.Bind)
	}
	mc := memberlist.DefaultLANConfig()
	if net.ParseIP(host).IsLoopback() {
		mc = memberlist.DefaultLocalConfig()
	}
	mc.Name = m.cfg.Name
	mc.Label = m.cfg.Cluster
	mc.BindAddr, mc.BindPort = host, port
	mc.AdvertisePort = port
	if mc.AdvertiseAddr, mc.AdvertisePort, err = advertised(m.cfg.Advertise, host, port); err != nil {
		return nil, err
	}
	mc.SecretKey = m.cfg.Key
	mc.EnableCompression = false // costs more time than it saves on sealed bytes
	mc.Delegate = (*delegate)(m)
	mc.Events = (*events)(m)
	mc.Logger = nil
	mc.LogOutput = logWriter{m.log}
	mc.DeadNodeReclaimTime = time.Second // a restarted node comes back under its name, perhaps at another address
	return mc, nil
}

// Name returns "gossip".
func (*Memberlist) Name() string { return "gossip" }

// Addr returns the address that the node listens on.
func (m *Memberlist) Addr() string {
	host, _, _ := splitAddress(m.cfg.Bind) // checked by settings
	return net.JoinHostPort(host, strconv.Itoa(m.port))
}

// Broadcast sends msg to every other member, small messages at once by UDP,
// large ones by TCP from a queue for each member.
func (m *Memberlist) Broadcast(msg []byte) {
	m.mu.Lock()
	members := make([]*member, 0, len(m.members))
	for _, p := range m.members {
		members = append(members, p)
	}
	m.mu.Unlock()
	for _, p := range members {
		m.send(p, msg)
	}
}

// Send sends msg to one member and reports whether it is on its way.
func (m *Memberlist) Send(to Node, msg []byte) bool {
	m.mu.Lock()
	var found *member
	for _, p := range m.members {
		if p.id == to {
			found = p
		}
	}
	m.mu.Unlock()
	return found != nil && m.send(found, msg)
}

func (m *Memberlist) send(p *member, msg []byte) bool {
	if len(msg) > maxDatagram {
		select {
		case p.large <- msg:
			return true
		default:
			m.dropped.Add(1)
			return false
		}
	}
	if err := m.list.SendBestEffort(p.node, msg); err != nil {
		m.errors.Add(1)
		return false
	}
	m.count(msg)
	return true
}

// sendLarge sends what waits for one member, each message over a connection of
// its own; a member that does not answer holds up nobody else.
func (m *Memberlist) sendLarge(ctx context.Context, p *member) {
	for {
		select {
		case <-ctx.Done():
			return
		case msg := <-p.large:
			if err := m.list.SendReliable(p.node, msg); err != nil {
				m.errors.Add(1)
				m.log.Debug("could not send a large message", "to", p.node.Name, "error", err)
				continue
			}
			m.count(msg)
		}
	}
}

// Status returns what the carrier knows of itself.
func (m *Memberlist) Status() Status {
	s := m.status(m.Name())
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Members = len(m.members)
	s.Connected = s.Members > 0
	return s
}

// Close tells the others that this node leaves, as far as ctx allows, and stops
// everything. It may be called again.
func (m *Memberlist) Close(ctx context.Context) (err error) {
	m.once.Do(func() {
		bound := time.Second
		if end, ok := ctx.Deadline(); ok {
			bound = min(bound, max(time.Until(end), time.Millisecond))
		}
		m.mu.Lock()
		m.closing = true
		m.mu.Unlock()
		m.stop()
		if e := m.list.Leave(bound); e != nil {
			m.log.Debug("left without telling everybody", "error", e) // nobody may be there to be told
		}
		err = m.list.Shutdown()
		m.running.Wait()
	})
	return err
}

// events keeps members up to date. Its methods are called with memberlist's
// lock held and must not call it.
type events Memberlist

func (e *events) NotifyJoin(n *memberlist.Node) {
	if n.Name == e.cfg.Name {
		return
	}
	id, ok := readMeta(n.Meta)
	if !ok {
		e.log.Warn("ignored a member that is no node of ours", "name", n.Name)
		return
	}
	ctx, stop := context.WithCancel(e.ctx)
	p := &member{node: n, id: id, large: make(chan []byte, sendQueue), stop: stop}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		stop()
		return
	}
	if old := e.members[n.Name]; old != nil {
		old.stop()
	}
	e.members[n.Name] = p
	e.running.Go(func() { (*Memberlist)(e).sendLarge(ctx, p) })
	e.log.Info("member joined", "name", n.Name, "address", n.Address())
}

func (e *events) NotifyLeave(n *memberlist.Node) {
	e.mu.Lock()
	p := e.members[n.Name]
	delete(e.members, n.Name)
	e.mu.Unlock()
	if p != nil {
		p.stop()
		e.log.Info("member gone", "name", n.Name, "state", n.State)
	}
}

func (e *events) NotifyUpdate(n *memberlist.Node) {
	e.NotifyLeave(n)
	e.NotifyJoin(n)
}

// delegate receives messages. Nothing travels with membership but who a node
// is.
type delegate Memberlist

const metaVersion = 1

func (d *delegate) NodeMeta(int) []byte {
	return binary.BigEndian.AppendUint64([]byte{metaVersion}, uint64(d.cfg.Node))
}

func readMeta(b []byte) (Node, bool) {
	if len(b) != 9 || b[0] != metaVersion {
		return 0, false
	}
	return Node(binary.BigEndian.Uint64(b[1:])), true
}

func (d *delegate) NotifyMsg(msg []byte) {
	d.received.Add(1)
	d.receivedBytes.Add(uint64(len(msg)))
	d.cfg.Handler("gossip", append([]byte(nil), msg...)) // memberlist uses the buffer again
}

func (*delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (*delegate) LocalState(bool) []byte          { return nil }
func (*delegate) MergeRemoteState([]byte, bool)   {}
