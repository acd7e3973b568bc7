package carrier

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-sockaddr"
)

// Pace of joining: quick at first, and then for ever.
const (
	joinFirst = 200 * time.Millisecond
	joinMost  = 5 * time.Second
	rejoin    = 30 * time.Second
)

// join tries the seeds until one answers, and then again every half minute or
// so.
func (m *Memberlist) join(ctx context.Context) {
	if len(m.cfg.Join) == 0 {
		return
	}
	wait := joinFirst
	for {
		n, err := m.list.Join(m.seeds(ctx))
		switch {
		case n > 0:
			wait = rejoin
		default:
			m.log.Debug("no seed answered", "error", err, "again_in", wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait)):
		}
		if n == 0 {
			wait = min(2*wait, joinMost)
		}
	}
}

// seeds returns the addresses to try, with names resolved afresh.
func (m *Memberlist) seeds(ctx context.Context) []string {
	var seeds []string
	for _, s := range m.cfg.Join {
		name, dns := strings.CutPrefix(s, "dns+")
		if !dns {
			seeds = append(seeds, s)
			continue
		}
		host, port, err := net.SplitHostPort(name)
		if err != nil {
			m.log.Warn("gossip.join has an entry that is not dns+name:port", "entry", s)
			continue
		}
		addrs, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			m.log.Debug("could not resolve a seed", "name", host, "error", err)
		}
		for _, a := range addrs {
			seeds = append(seeds, net.JoinHostPort(a, port))
		}
	}
	return seeds
}

// splitAddress splits host:port, where host is an address or a name that has
// one.
func splitAddress(address string) (host string, port int, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not host:port", address)
	}
	p, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q has no port number", address)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if net.ParseIP(host) == nil {
		ips, err := net.LookupHost(host)
		if err != nil {
			return "", 0, fmt.Errorf("resolve %q: %w", host, err)
		}
		host = ips[0]
	}
	return host, int(p), nil
}

// advertised returns the address that others are told: the configured one, or
// the bound one, or where that is "all", this machine's private one.
func advertised(configured, host string, port int) (string, int, error) {
	if configured != "" {
		h, p, err := splitAddress(configured)
		if err != nil {
			return "", 0, fmt.Errorf("gossip.advertise: %w", err)
		}
		if p == 0 {
			p = port
		}
		return h, p, nil
	}
	if !net.ParseIP(host).IsUnspecified() {
		return host, port, nil
	}
	private, err := sockaddr.GetPrivateIP()
	if err != nil || private == "" {
		return "", 0, fmt.Errorf("gossip.bind is %s and this machine has no private address that others could reach it at; set gossip.advertise to one of: %s",
			host, strings.Join(candidates(), ", "))
	}
	return private, port, nil
}

// candidates lists this machine's addresses.
func candidates() []string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return []string{"(unknown: " + err.Error() + ")"}
	}
	var all []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			all = append(all, n.IP.String())
		}
	}
	if len(all) == 0 {
		return []string{"(this machine has none)"}
	}
	return all
}

// logWriter passes memberlist's words on. They are for debugging: what an
// operator should know is logged by this package.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Debug("memberlist: " + string(bytes.TrimSpace(p)))
	return len(p), nil
}
