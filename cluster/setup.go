package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

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

// first reports whether the node is told of no peer: it is alone, or waits to be
// joined.
func (c Config) first() bool { return c.NATS == nil && (c.Gossip == nil || len(c.Gossip.Join) == 0) }

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
	host := strings.TrimPrefix(strings.TrimPrefix(address, "dnssrv+"), "dns+")
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
			Bind: g.Bind, Advertise: g.Advertise, Join: g.Join, Regional: g.Regional, MaxStreamBytes: g.MaxStreamBytes,
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

// startEmbedded starts the NATS server in this process, if there is to be one.
func (n *Node) startEmbedded() error {
	if n.cfg.NATS == nil || n.cfg.NATS.Embed == "" {
		return nil
	}
	ec := carrier.EmbeddedConfig{Listen: n.cfg.NATS.Embed, Logger: n.log, AllowRemote: len(n.cfg.Key) > 0}
	if n.cfg.OneTime != nil || n.cfg.SharedLog != nil {
		ec.StoreDir = filepath.Join(n.cfg.DataDir, "one-time") // the name that it had before there was a shared log
	}
	embedded, err := carrier.StartEmbedded(ec)
	if err != nil {
		return fmt.Errorf("start the embedded NATS server: %w", err)
	}
	n.embedded = embedded
	return nil
}

// natsURL is where this node's clients of NATS connect to.
func (n *Node) natsURL() string {
	if n.cfg.NATS.URL == "" && n.embedded != nil {
		return n.embedded.ClientURL()
	}
	return n.cfg.NATS.URL
}

func (n *Node) startNATS(self carrier.Node, c NATS) error {
	cfg := carrier.NATSConfig{
		Cluster: n.cfg.Cluster, URL: n.natsURL(), Login: c.login(), Name: n.cfg.Name, Node: self,
		MaxPending: c.maxPending, Handler: n.receive, Logger: n.log,
	}
	m, err := carrier.NewNATS(cfg)
	if err != nil {
		return fmt.Errorf("start NATS: %w", err)
	}
	n.carriers = append(n.carriers, m)
	return n.openOneTime(cfg)
}

func (n *Node) closeCarriers(ctx context.Context) error {
	var errs []error
	for _, c := range n.carriers {
		if err := c.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.Name(), err))
		}
	}
	if n.onetime != nil {
		n.onetime.Close()
	}
	if n.embedded != nil {
		n.embedded.Shutdown()
	}
	return errors.Join(errs...)
}
