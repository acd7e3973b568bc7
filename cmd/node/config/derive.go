package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// derive resolves what follows from several settings together, and checks it.
// Settings that could not be read are empty in c and raise nothing further.
func (r *reading) derive(c *Config) {
	if c.Gossip.Bind == "" && len(c.Gossip.Join) > 0 {
		c.Gossip.Bind = "127.0.0.1:" + gossipPort
		if c.Cluster.KeyFile != "" {
			c.Gossip.Bind = "0.0.0.0:" + gossipPort
		}
		c.sources["gossip.bind"] = "from gossip.join and cluster.key-file"
	}
	if c.Gossip.Advertise != "" {
		c.Gossip.Advertise = withDefaultPort(c.Gossip.Advertise, portOf(c.Gossip.Bind))
	}
	if c.NATS.Embedded == "true" {
		r.deriveEmbedded(c)
	}
	r.namedMembers(c)
	r.oneLogin(c)
	r.oneStore(c)
	r.sharedStore(c)
	if c.Cluster.KeyFile == "" {
		r.onlyLoopback(c)
	}
}

// cgroupShare is the part of a control group's limit, in tenths, that the process
// plans with: the kernel counts buffers of sockets and its own tables there, too.
const cgroupShare = 9

// deriveMemory takes the limit of the process's control group where no other is set:
// a node that does not know of it is killed as soon as its garbage reaches it.
func (r *reading) deriveMemory(c *Config, l Loader) {
	goLimit := slices.ContainsFunc(l.Environ, func(pair string) bool {
		text, ok := strings.CutPrefix(pair, "GOMEMLIMIT=")
		return ok && text != ""
	})
	if c.Memory.Limit != 0 || goLimit || l.CgroupMemory == nil {
		return
	}
	limit := l.CgroupMemory() >> 20
	if own := limit * cgroupShare / 10; own > 0 {
		c.Memory.Limit, c.Memory.FromCgroup = own<<20, true
		c.sources["memory.limit"] = fmt.Sprintf("%d %% of the control group's %dMiB", cgroupShare*10, limit)
	}
}

// portOf returns the port of an address to listen on, or gossip's usual one
// where that is left to the system.
func portOf(bind string) string {
	if _, port, err := net.SplitHostPort(bind); err == nil && port != "0" {
		return port
	}
	return gossipPort
}

// deriveEmbedded lets "true" mean the server that nats.url names. With several
// URLs only the operator knows which of them is this node.
func (r *reading) deriveEmbedded(c *Config) {
	hosts := natsHosts(c.NATS.URL)
	if len(hosts) > 1 {
		r.bad("nats.embedded", r.values["nats.embedded"], "use host:port, because nats.url names several servers")
		c.NATS.Embedded = ""
		return
	}
	c.NATS.Embedded = "127.0.0.1:" + natsPort
	if len(hosts) == 1 {
		c.NATS.Embedded = hosts[0]
		c.sources["nats.embedded"] += ", from nats.url"
	}
}

// natsHosts returns host:port of each URL.
func natsHosts(urls string) []string {
	var hosts []string
	for s := range strings.SplitSeq(urls, ",") {
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			hosts = append(hosts, withPort(u))
		}
	}
	return hosts
}

// onlyLoopback refuses to leave loopback without a key: gossip and NATS would
// be open to anyone who reaches the port.
func (r *reading) onlyLoopback(c *Config) {
	for _, s := range []struct {
		key       string
		addresses []string
	}{
		{"gossip.bind", []string{c.Gossip.Bind}},
		{"gossip.advertise", []string{c.Gossip.Advertise}},
		{"gossip.join", c.Gossip.Join},
		{"nats.url", natsHosts(c.NATS.URL)},
		{"nats.embedded", []string{c.NATS.Embedded}},
	} {
		for _, a := range s.addresses {
			if a != "" && !loopback(a) {
				r.bad(s.key, r.values[s.key], "beyond loopback, set cluster.key-file to a key that `rescind keys generate` makes")
				break
			}
		}
	}
}
