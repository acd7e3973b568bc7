package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	gossipPort = "7946" // memberlist's usual port
	natsPort   = "4222"
)

// hostNames is deliberately wide: what resolves is for the resolver to say. It
// only keeps out what can't be a name, and numbers, which are forgotten hosts.
var hostNames = regexp.MustCompile(`^[A-Za-z0-9_.-]*[A-Za-z_.-][A-Za-z0-9_.-]*$`)

func validHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || hostNames.MatchString(host)
}

// address reads host:port. Where listen is set, host may be empty and port 0,
// which mean "every interface" and "any free one".
func address(s string, listen bool) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 && !listen {
		return false
	}
	return host == "" && listen || validHost(host)
}

func listenAddr(s string) (string, error) {
	if !address(s, true) {
		return "", errors.New("host:port, such as 127.0.0.1:8080 or 0.0.0.0:8080")
	}
	return s, nil
}

func gossipListen(s string) (string, error) {
	return gossipAddr(s, true, "host:port or a host, such as 0.0.0.0:"+gossipPort)
}

func gossipPeer(s string) (string, error) {
	return gossipAddr(s, false, "host:port or a host, such as 10.0.0.7:"+gossipPort)
}

// advertised is gossip.advertise. A bare host is completed by derive.
func advertised(s string) (string, error) {
	if _, err := gossipPeer(s); err != nil {
		return "", err
	}
	return s, nil
}

// gossipAddr completes a bare host with gossipPort.
func gossipAddr(s string, listen bool, want string) (string, error) {
	full := withDefaultPort(s, gossipPort)
	if !address(full, listen) {
		return "", errors.New(want)
	}
	return full, nil
}

// withDefaultPort adds port to a bare host.
func withDefaultPort(s, port string) string {
	host := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		host = s[1 : len(s)-1]
	}
	if validHost(host) {
		return net.JoinHostPort(host, port)
	}
	return s
}

// lists are the settings that may be a list in the file, repeated as a flag, and
// are parted by commas otherwise; and what they are lists of.
var lists = map[string]string{
	"cluster.members":      "names",
	"gossip.join":          "host:port, dns+name:port and dnssrv+name",
	"http.trusted-proxies": "addresses and networks",
	"admin.client-names":   "names",
}

// proxies is http.trusted-proxies.
func proxies() codec {
	return codec{
		store: func(c *Config, v value) error {
			var all []netip.Prefix
			for s := range strings.SplitSeq(v.text, ",") {
				if s = strings.TrimSpace(s); s == "" {
					continue // a trailing comma
				}
				p, err := netip.ParsePrefix(s)
				if err != nil {
					a, err := netip.ParseAddr(s)
					if err != nil {
						return errors.New("addresses and networks, such as 10.0.0.0/8, several as a list or separated by commas")
					}
					p = netip.PrefixFrom(a, a.BitLen())
				}
				all = append(all, p.Masked())
			}
			c.HTTP.TrustedProxies = all
			return nil
		},
		show: func(c *Config) any {
			var all []string
			for _, p := range c.HTTP.TrustedProxies {
				all = append(all, p.String())
			}
			return all
		},
	}
}

// join is gossip.join.
func join() codec {
	return codec{
		store: func(c *Config, v value) error {
			var seeds []string
			for s := range strings.SplitSeq(v.text, ",") {
				if s = strings.TrimSpace(s); s == "" {
					continue // a trailing comma
				}
				if srv, ok := strings.CutPrefix(s, "dnssrv+"); ok && validHost(srv) {
					seeds = append(seeds, s)
					continue
				}
				name, dns := strings.CutPrefix(s, "dns+")
				full, err := gossipPeer(name)
				if err != nil {
					return errors.New("host:port, dns+name:port or dnssrv+name, several as a list or separated by commas")
				}
				if dns {
					full = "dns+" + full
				}
				seeds = append(seeds, full)
			}
			c.Gossip.Join = seeds
			return nil
		},
		show: func(c *Config) any { return c.Gossip.Join },
	}
}

// issuerURL is as RFC 8414 section 2 wants it, save that loopback may do without
// TLS.
func issuerURL(s string) (string, error) {
	if !goodJWKSURL(s) || strings.ContainsAny(s, "?#") {
		return "", errors.New("an https URL without query and fragment, or http on loopback")
	}
	return s, nil
}

// collectorURL refuses passwords, as natsURLs does.
func collectorURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", errors.New("an http or https URL without user and password, such as http://collector:4318")
	}
	return s, nil
}

// natsURLs refuses passwords: URLs end up in logs, process lists and
// 'config print'.
func natsURLs(s string) (string, error) {
	var urls []string
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		u, err := url.Parse(part)
		if err != nil || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || !address(withPort(u), false) {
			return "", errors.New("nats://host:port (or tls, ws, wss), several separated by commas")
		}
		if u.User != nil {
			return "", errors.New("a URL without user and password; they belong in nats.user and nats.password-file, nats.token-file or nats.creds-file")
		}
		urls = append(urls, part)
	}
	return strings.Join(urls, ","), nil
}

// withPort returns the URL's host:port, with NATS's usual port if it has none.
func withPort(u *url.URL) string {
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), natsPort)
	}
	return u.Host
}

// embedded is nats.embedded. It stores "true" as such: derive resolves it when
// nats.url is known.
func embedded() codec {
	return codec{
		store: func(c *Config, v value) error {
			switch {
			case v.text == "" || v.text == "false":
				c.NATS.Embedded = ""
			case v.text == "true" || address(v.text, true):
				c.NATS.Embedded = v.text
			default:
				return errors.New("true, false or host:port")
			}
			return nil
		},
		show: func(c *Config) any {
			if c.NATS.Embedded == "" {
				return "false"
			}
			return c.NATS.Embedded
		},
	}
}

// loopback reports whether an address, with or without a port or dns+, stays
// on this host. A name other than localhost does not: who answers DNS decides.
func loopback(address string) bool {
	host := strings.TrimPrefix(strings.TrimPrefix(address, "dnssrv+"), "dns+")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
