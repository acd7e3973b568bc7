package carrier

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// A path check finds out which of UDP and TCP gets through to a member and from
// it, each direction for itself: a firewall may pass one and not the other, and an
// advertised address may lead nowhere, or to somebody else. Whoever asks sends
// datagrams and connects; whoever is asked connects back to the advertised address,
// makes sure that it is the asker who answers there, sends datagrams back, and
// reports. All of it is sealed, so that nobody without the key can have this node
// dial an address.

// pathMark begins a datagram and a connection of a path check.
const pathMark = 'P'

const (
	pathTimeout  = 3 * time.Second        // of a check, and of the dial back
	pathPings    = 3                      // datagrams, in case some are lost
	pathPause    = 150 * time.Millisecond // between them
	pathEvery    = 30 * time.Second       // between checks of a member
	pathBadEvery = 5 * time.Second        // of one to which something does not get through
	maxChecks    = 4                      // at one time
	maxSeen      = 1024                   // datagrams of checks that are remembered
	maxPathBytes = 1024
)

// Path says what gets through between this node and another member. It is the
// zero value until it is known.
type Path struct {
	Node    Node
	Name    string
	Address string // the member's, as it advertises it
	Known   bool

	TCPOut, TCPIn, UDPOut, UDPIn bool
	Why                          string // what an attempt that failed said
}

// Whole reports whether everything gets through.
func (p Path) Whole() bool { return p.TCPOut && p.TCPIn && p.UDPOut && p.UDPIn }

// Missing names what does not get through, for people.
func (p Path) Missing() []string {
	var missing []string
	for _, m := range []struct {
		through bool
		what    string
	}{{p.UDPOut, "UDP to it"}, {p.UDPIn, "UDP from it"}, {p.TCPOut, "TCP to it"}, {p.TCPIn, "TCP from it"}} {
		if !m.through {
			missing = append(missing, m.what)
		}
	}
	return missing
}

const (
	pathPing   = 'p' // a datagram to the other
	pathEcho   = 'e' // a datagram back
	pathCheck  = 'c' // on a connection: check the way to me
	pathWho    = 'w' // on the connection back: who is there?
	pathHere   = 'h' // the answer
	pathReport = 'r' // the answer to pathCheck
)

// pathMessage is what a check sends, sealed.
type pathMessage struct {
	Kind    byte
	Nonce   uint64
	Node    Node
	Address string `json:",omitempty"` // at which the sender is to be reached
	SawUDP  bool   `json:",omitempty"`
	Dial    string `json:",omitempty"` // why the dial back failed; empty: it did not
}

// paths is the state of path checks. It is safe for concurrent use.
type paths struct {
	ring *Ring

	mu      sync.Mutex               // guards the fields below
	seen    map[uint64]chan struct{} // of others' checks: closed when a datagram came
	order   []uint64                 // of seen, the oldest first
	waiting map[uint64]chan struct{} // of our checks: closed when an echo came
}

func (p *paths) seal(m pathMessage) []byte {
	plain, err := json.Marshal(m)
	if err != nil {
		panic("carrier: a path message has no JSON form: " + err.Error()) // it has only numbers and texts
	}
	return p.ring.Seal(plain)
}

func (p *paths) open(sealed []byte) (m pathMessage, err error) {
	plain, err := p.ring.Open(sealed)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(plain, &m)
}

// arrival returns what is closed once a datagram of a check has come.
func (p *paths) arrival(nonce uint64) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.seen[nonce]
	if c == nil {
		c = make(chan struct{})
		if len(p.order) >= maxSeen {
			delete(p.seen, p.order[0])
			p.order = p.order[1:]
		}
		p.seen[nonce], p.order = c, append(p.order, nonce)
	}
	return c
}

// closeOnce closes c unless it is closed. p.mu is held by no caller.
func (p *paths) closeOnce(c chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-c:
	default:
		close(c)
	}
}

// await registers a check of ours.
func (p *paths) await(nonce uint64) (echo chan struct{}, forget func()) {
	echo = make(chan struct{})
	p.mu.Lock()
	p.waiting[nonce] = echo
	p.mu.Unlock()
	return echo, func() {
		p.mu.Lock()
		delete(p.waiting, nonce)
		p.mu.Unlock()
	}
}

// datagram takes a datagram of a check.
func (m *Memberlist) pathDatagram(sealed []byte) {
	msg, err := m.paths.open(sealed)
	if err != nil {
		m.counters.fail(fmt.Errorf("a path check: %w", err))
		return
	}
	switch msg.Kind {
	case pathPing:
		m.paths.closeOnce(m.paths.arrival(msg.Nonce))
		m.pathSend(msg.Address, pathMessage{Kind: pathEcho, Nonce: msg.Nonce, Node: m.cfg.Node})
	case pathEcho:
		m.paths.mu.Lock()
		echo := m.paths.waiting[msg.Nonce]
		m.paths.mu.Unlock()
		if echo != nil {
			m.paths.closeOnce(echo)
		}
	}
}

func (m *Memberlist) pathSend(address string, msg pathMessage) {
	to, err := netip.ParseAddrPort(address)
	if err != nil || m.transport.loopbackOnly && !to.Addr().Unmap().IsLoopback() {
		return
	}
	// That it fails shows in the check.
	_ = m.transport.send(to, append([]byte{pathMark}, m.paths.seal(msg)...))
}

// pathConn answers a connection of a check, whose mark has been read.
func (m *Memberlist) pathConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	msg, err := m.paths.read(conn)
	if err != nil {
		return
	}
	switch msg.Kind {
	case pathWho:
		_ = m.paths.write(conn, pathMessage{Kind: pathHere, Nonce: msg.Nonce, Node: m.cfg.Node})
	case pathCheck:
		ctx, cancel := context.WithTimeout(ctx, pathTimeout)
		defer cancel()
		report := pathMessage{Kind: pathReport, Nonce: msg.Nonce, Node: m.cfg.Node}
		m.pathSend(msg.Address, pathMessage{Kind: pathEcho, Nonce: msg.Nonce, Node: m.cfg.Node})
		if err := m.dialBack(ctx, msg); err != nil {
			report.Dial = err.Error()
		}
		select {
		case <-m.paths.arrival(msg.Nonce):
			report.SawUDP = true
		case <-time.After(pathPings * pathPause):
		case <-ctx.Done():
		}
		m.pathSend(msg.Address, pathMessage{Kind: pathEcho, Nonce: msg.Nonce, Node: m.cfg.Node})
		_ = m.paths.write(conn, report)
	}
}

// dialBack makes sure that who asks is reached at the address that it advertises.
func (m *Memberlist) dialBack(ctx context.Context, asker pathMessage) error {
	conn, err := m.pathDial(ctx, asker.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := m.paths.write(conn, pathMessage{Kind: pathWho, Nonce: asker.Nonce, Node: m.cfg.Node}); err != nil {
		return err
	}
	answer, err := m.paths.read(conn)
	switch {
	case err != nil:
		return fmt.Errorf("whoever answers at %s is not a member of this cluster: %w", asker.Address, err)
	case answer.Kind != pathHere || answer.Nonce != asker.Nonce || answer.Node != asker.Node:
		return fmt.Errorf("another member answers at %s", asker.Address)
	}
	return nil
}

// pathDial connects and writes the mark.
func (m *Memberlist) pathDial(ctx context.Context, address string) (net.Conn, error) {
	if m.transport.loopbackOnly && !loopbackHost(address) {
		return nil, fmt.Errorf("without a key only loopback addresses are dialled, and %s is not one", address)
	}
	ctx, cancel := context.WithTimeout(ctx, pathTimeout)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	bound := m.transport.bind(conn, func() {})
	if _, err := bound.Write([]byte{pathMark}); err != nil {
		return nil, errors.Join(err, bound.Close())
	}
	return bound, nil
}

func (p *paths) write(conn net.Conn, m pathMessage) error {
	sealed := p.seal(m)
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(sealed))), sealed...))
	return err
}

func (p *paths) read(conn net.Conn) (pathMessage, error) {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return pathMessage{}, err
	}
	n := binary.BigEndian.Uint16(size[:])
	if n > maxPathBytes {
		return pathMessage{}, errors.New("a path check is too long")
	}
	sealed := make([]byte, n)
	if _, err := io.ReadFull(conn, sealed); err != nil {
		return pathMessage{}, err
	}
	return p.open(sealed)
}

// checkPath finds out what gets through between this node and whoever is at addr.
// An error says that nobody could tell, because what answered did not understand.
func (m *Memberlist) checkPath(ctx context.Context, addr string) (Path, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*pathTimeout)
	defer cancel()
	ask := pathMessage{Kind: pathPing, Nonce: rand.Uint64(), Node: m.cfg.Node, Address: m.Advertised()}
	echo, forget := m.paths.await(ask.Nonce)
	defer forget()
	pinging, stop := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() { m.ping(pinging, addr, ask, echo) })
	defer pings.Wait()
	defer stop()

	path := Path{Address: addr, Known: true}
	report, err := m.askCheck(ctx, addr, ask)
	_, refused := errors.AsType[*net.OpError](err)
	switch {
	case err == nil:
		path.Node, path.TCPOut, path.TCPIn, path.UDPOut, path.Why = report.Node, true, report.Dial == "", report.SawUDP, report.Dial
	case refused && !errors.Is(err, io.EOF): // nobody could be connected to
		path.Why = err.Error()
	default:
		return Path{}, err
	}
	select {
	case <-echo:
		path.UDPIn = true
		if !path.TCPOut { // then nothing but our datagram can have made it send one
			path.UDPOut = true
		}
	case <-time.After(pathPings * pathPause):
	case <-ctx.Done():
	}
	return path, nil
}

// ping sends datagrams until one is answered.
func (m *Memberlist) ping(ctx context.Context, addr string, ask pathMessage, echo chan struct{}) {
	for range pathPings {
		m.pathSend(addr, ask)
		select {
		case <-echo:
			return
		case <-ctx.Done():
			return
		case <-time.After(pathPause):
		}
	}
}

func (m *Memberlist) askCheck(ctx context.Context, addr string, ask pathMessage) (pathMessage, error) {
	conn, err := m.pathDial(ctx, addr)
	if err != nil {
		return pathMessage{}, err
	}
	defer conn.Close()
	ask.Kind = pathCheck
	if err := m.paths.write(conn, ask); err != nil {
		return pathMessage{}, fmt.Errorf("ask for a path check: %v", err) //nolint:errorlint // a connection that was made and ended is no refusal
	}
	report, err := m.paths.read(conn)
	if err != nil {
		return pathMessage{}, fmt.Errorf("read the report of a path check: %v", err) //nolint:errorlint // likewise
	}
	return report, nil
}

// watchPaths checks the way to each member now and then, until ctx ends.
func (m *Memberlist) watchPaths(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	slots := make(chan struct{}, maxChecks)
	var checks sync.WaitGroup
	defer checks.Wait()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, to := range m.roster.reachable() {
			if time.Now().UnixNano() < to.checkAt.Load() {
				continue
			}
			select {
			case slots <- struct{}{}:
			default:
				continue // the next tick
			}
			to.checkAt.Store(time.Now().Add(pathEvery).UnixNano())
			checks.Go(func() {
				defer func() { <-slots }()
				m.checkMember(ctx, to)
			})
		}
	}
}

func (m *Memberlist) checkMember(ctx context.Context, to *member) {
	path, err := m.checkPath(ctx, to.addr.String())
	if err != nil || ctx.Err() != nil {
		return
	}
	path.Node, path.Name = to.peer.Node, to.peer.Name
	before := to.path.Swap(&path)
	every := pathEvery
	if !path.Whole() {
		every = pathBadEvery
	}
	to.checkAt.Store(time.Now().Add(jitter(every)).UnixNano())
	switch {
	case path.Whole() && before != nil && !before.Whole():
		m.log.Info("gossip: everything gets through again", "member", path.Name, "address", path.Address)
	case !path.Whole() && (before == nil || before.Whole()):
		m.log.Warn("gossip: something does not get through", "member", path.Name, "address", path.Address, "missing", path.Missing(), "why", redact(path.Why))
	}
	if path.TCPIn || path.UDPIn {
		m.unreached.Store(nil)
	}
}

// Paths returns what is known of the ways to the members that are alive.
func (m *Memberlist) Paths() []Path {
	var all []Path
	for _, to := range m.roster.reachable() {
		if p := to.path.Load(); p != nil {
			all = append(all, *p)
		}
	}
	return all
}

// streamsOnly reports whether datagrams to the member are lost and streams are not.
func (to *member) streamsOnly() bool {
	p := to.path.Load()
	return p != nil && !p.UDPOut && p.TCPOut
}

// datagramsOnly is the reverse.
func (to *member) datagramsOnly() bool {
	p := to.path.Load()
	return p != nil && p.UDPOut && !p.TCPOut
}

// contact exchanges the list of members with whoever is at addr, unless that one
// can't send to this node: then the others would wait in vain for its answers, and
// so would it.
func (m *Memberlist) contact(ctx context.Context, addr netip.AddrPort) error {
	path, err := m.checkPath(ctx, addr.String())
	switch {
	case err != nil: // it has another key, or speaks another version: memberlist says so
	case !path.TCPOut && path.UDPOut:
		text := fmt.Sprintf("TCP to %s does not get through, and UDP does; joining needs TCP of that port: %s", addr, path.Why)
		m.unreached.Store(&text)
		return errors.New(text)
	case !path.TCPOut:
		return fmt.Errorf("%s can't be reached: %s", addr, path.Why)
	case !path.TCPIn && !path.UDPIn:
		text := fmt.Sprintf("%s can't reach this node at %s, which is the address that it advertises: %s; set gossip.advertise to the address at which the others reach it", addr, m.Advertised(), path.Why)
		m.unreached.Store(&text)
		return errors.New(text)
	default:
		m.unreached.Store(nil)
	}
	if _, err := m.list.Join([]string{addr.String()}); err != nil {
		if strings.HasSuffix(err.Error(), "EOF") || strings.Contains(err.Error(), "EOF\n") { // memberlist's error wraps none
			return fmt.Errorf("%s closed the connection: its cluster.name may be another one, or it has too many connections: %w", addr, err)
		}
		return err
	}
	return nil
}
