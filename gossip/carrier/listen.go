package carrier

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// uniqueName is a name for this process in memberlist's member table. A table
// entry belongs to a name, and survives a crash of its owner for some seconds;
// a node that is back at once, at another address, would be refused as a
// conflict if it reused the name, and so would a second node that was
// configured with the same name by mistake.
func uniqueName(name string, node Node) string {
	var process [4]byte
	rand.Read(process[:])
	return fmt.Sprintf("%s-%s-%x", name, node, process)
}

func (m *Memberlist) listen(ctx context.Context) error {
	bind, err := bindAddress("gossip.bind", m.cfg.Bind)
	if err != nil {
		return err
	}
	plain := len(m.cfg.Keys) == 0
	if plain && !bind.Addr().IsLoopback() {
		return fmt.Errorf("without a key only loopback addresses are allowed, and gossip.bind %s is none", bind)
	}
	if m.keys, err = keyring(m.cfg.Keys); err != nil {
		return fmt.Errorf("prepare the keys: %w", err)
	}
	ring, err := NewRing(m.cfg.Cluster, pathKeys(m.cfg.Keys))
	if err != nil {
		return fmt.Errorf("prepare the keys of path checks: %w", err)
	}
	m.paths = paths{ring: ring, seen: map[uint64]chan struct{}{}, waiting: map[uint64]chan struct{}{}}
	logger := debugLog(m.log, m.counters.stranger)
	if m.transport, err = newTransport(ctx, bind, plain, m.cfg.MaxStreamBytes, m.log, m.receive); err != nil {
		return fmt.Errorf("listen at gossip.bind %s: %w", bind, err)
	}
	m.transport.inbound.SetKnown(m.roster.has)
	m.transport.bytes.SetKnown(m.roster.has)
	m.transport.pathDatagram, m.transport.pathConn = m.pathDatagram, m.pathConn
	m.bound = netip.AddrPortFrom(bind.Addr(), m.transport.port())
	if m.advertise, err = advertiseAddress(m.bound, m.cfg.Advertise); err != nil {
		return errors.Join(err, m.transport.Shutdown())
	}
	if plain && !m.advertise.Addr().IsLoopback() {
		err = fmt.Errorf("without a key only loopback addresses are allowed, and gossip.advertise %s is none", m.advertise)
		return errors.Join(err, m.transport.Shutdown())
	}
	cfg := m.memberlistConfig()
	cfg.Logger = logger
	if m.list, err = memberlist.Create(cfg); err != nil {
		return errors.Join(err, m.transport.Shutdown())
	}
	m.transport.start() // last, so that a failure has nothing to stop
	return nil
}

func (m *Memberlist) memberlistConfig() *memberlist.Config {
	cfg := memberlist.DefaultLANConfig()
	if m.bound.Addr().IsLoopback() {
		cfg = memberlist.DefaultLocalConfig()
	} else {
		// The defaults are made for thousands of members. Our data path waits
		// for nothing, so all that is gained by patience is a longer list of
		// dead members to send to.
		cfg.TCPTimeout = 3 * time.Second
		cfg.GossipInterval = 100 * time.Millisecond
		cfg.SuspicionMult = 3
		cfg.SuspicionMaxTimeoutMult = 3
	}
	cfg.Name = m.roster.self
	cfg.Label = m.cfg.Cluster
	cfg.Keyring = m.keys
	cfg.Transport = m.transport
	cfg.BindAddr, cfg.BindPort = m.bound.Addr().String(), int(m.bound.Port())
	cfg.AdvertiseAddr, cfg.AdvertisePort = m.advertise.Addr().String(), int(m.advertise.Port())
	cfg.EnableCompression = false // 65 microseconds a packet, and sealed bytes don't shrink
	cfg.Delegate, cfg.Events = delegate{m}, delegate{m}
	return cfg
}
