package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"rescind/gossip"
	"rescind/gossip/carrier"
)

// secret returns the configured key, or one that everybody knows.
func (c Config) secret() []byte {
	if len(c.Key) > 0 {
		return c.Key
	}
	known := sha256.Sum256([]byte("rescind without a key, on loopback only"))
	return known[:]
}

// alone reports whether the node is configured to have no peers.
func (c Config) alone() bool { return c.Gossip == nil && c.NATS == nil }

// checkLoopback refuses to leave loopback without a key.
func (c Config) checkLoopback() error {
	if len(c.Key) > 0 {
		return nil
	}
	var addresses []string
	if c.Gossip != nil {
		addresses = append(addresses, c.Gossip.Bind, c.Gossip.Advertise)
		addresses = append(addresses, c.Gossip.Join...)
	}
	if c.NATS != nil {
		addresses = append(addresses, c.NATS.Embed)
		for u := range strings.SplitSeq(c.NATS.URL, ",") {
			addresses = append(addresses, hostOfURL(strings.TrimSpace(u)))
		}
	}
	for _, a := range addresses {
		if a != "" && !loopback(a) {
			return fmt.Errorf("cluster: without Config.Key only loopback addresses are allowed, and %s is none; make a key with 'rescind keys generate'", a)
		}
	}
	return nil
}

func hostOfURL(s string) string {
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		return u.Host
	}
	return s
}

func loopback(address string) bool {
	host := strings.TrimPrefix(address, "dns+")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// startCarriers opens the configured carriers. On an error the caller closes
// those that were opened.
func (n *Node) startCarriers() error {
	self := carrier.Node(n.store.Identity().Origin)
	if g := n.cfg.Gossip; g != nil {
		cfg := carrier.MemberlistConfig{
			Cluster: n.cfg.Cluster, Name: n.cfg.Name, Node: self,
			Bind: g.Bind, Advertise: g.Advertise, Join: g.Join,
			Handler: n.receive, Logger: n.log,
		}
		if len(n.cfg.Key) > 0 {
			cfg.Keys = memberlistKeys(n.cfg.transportKeys())
		}
		m, err := carrier.NewMemberlist(cfg)
		if err != nil {
			return fmt.Errorf("start gossip: %w", err)
		}
		n.gossip = m
		n.carriers = append(n.carriers, m)
	}
	if c := n.cfg.NATS; c != nil {
		return n.startNATS(self, *c)
	}
	return nil
}

func (n *Node) startNATS(self carrier.Node, c NATS) error {
	cfg := carrier.NATSConfig{
		Cluster: n.cfg.Cluster, URL: c.URL, CredsFile: c.CredsFile, Name: n.cfg.Name, Node: self,
		Handler: n.receive, Logger: n.log,
	}
	if c.Embed != "" {
		embedded, err := carrier.StartEmbedded(carrier.EmbeddedConfig{Listen: c.Embed, Logger: n.log, AllowRemote: len(n.cfg.Key) > 0})
		if err != nil {
			return fmt.Errorf("start the embedded NATS server: %w", err)
		}
		n.embedded = embedded
		if c.URL == "" {
			cfg.URL = embedded.ClientURL()
		}
	}
	m, err := carrier.NewNATS(cfg)
	if err != nil {
		return fmt.Errorf("start NATS: %w", err)
	}
	n.carriers = append(n.carriers, m)
	return nil
}

func (n *Node) closeCarriers(ctx context.Context) error {
	var errs []error
	for _, c := range n.carriers {
		if err := c.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.Name(), err))
		}
	}
	if n.embedded != nil {
		n.embedded.Shutdown()
	}
	return errors.Join(errs...)
}

// receive takes a message from a carrier. It never blocks: what does not fit
// is dropped, and repaired later.
func (n *Node) receive(_ string, sealed []byte) {
	plain, err := n.sealer.Open(sealed)
	if err != nil {
		n.refuse("a message that is not sealed with this cluster's key", err)
		return
	}
	m, err := gossip.Decode(plain)
	if err != nil {
		n.counters.malformed.Add(1)
		n.log.Debug("ignored a message that could not be understood", "error", err)
		return
	}
	// News takes effect at once. The core will say the same a little later, and
	// records may be applied any number of times.
	if b, ok := m.Body.(*gossip.Batch); ok {
		n.apply(b.Records)
	}
	select {
	case n.inbox <- m:
	default:
		n.counters.dropped.Add(1)
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
	if len(n.carriers) == 0 {
		return
	}
	sealed := n.sealer.Seal(out.Message.Append(nil))
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
