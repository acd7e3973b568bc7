package config

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// complete derives what follows from several settings together, and checks it.
func (c *Config) complete(r *reading) {
	if c.Gossip.Bind == "" && len(c.Gossip.Join) > 0 {
		c.Gossip.Bind = "127.0.0.1:" + gossipPort
		if c.Cluster.KeyFile != "" {
			c.Gossip.Bind = "0.0.0.0:" + gossipPort
		}
	}
	if c.NATS.Embedded == "true" {
		c.NATS.Embedded = "127.0.0.1:4222"
		if u, err := url.Parse(c.NATS.URL); err == nil && u.Host != "" && !strings.Contains(c.NATS.URL, ",") {
			c.NATS.Embedded = u.Host
			if u.Port() == "" {
				c.NATS.Embedded = net.JoinHostPort(u.Hostname(), "4222")
			}
		}
	}
	if c.Cluster.KeyFile == "" {
		c.checkLoopback(r)
	}
}

// checkLoopback refuses to leave loopback without a key.
func (c *Config) checkLoopback(r *reading) {
	addresses := map[string][]string{
		"gossip.bind": {c.Gossip.Bind}, "gossip.advertise": {c.Gossip.Advertise}, "gossip.join": c.Gossip.Join,
		"nats.embedded": {c.NATS.Embedded},
	}
	for s := range strings.SplitSeq(c.NATS.URL, ",") {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil {
			addresses["nats.url"] = append(addresses["nats.url"], u.Host)
		}
	}
	for _, s := range Settings() {
		for _, a := range addresses[s.Key] {
			if a != "" && !loopback(a) {
				r.bad(s.Key, r.values[s.Key], "a loopback address, or set cluster.key-file to a key that 'rescind keys generate' makes")
				break
			}
		}
	}
}

// ClusterKey reads cluster.key-file. It returns nil if none is set. Errors
// never repeat the content.
func (c *Config) ClusterKey() ([]byte, error) {
	if c.Cluster.KeyFile == "" {
		return nil, nil
	}
	b, err := os.ReadFile(c.Cluster.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cluster.key-file: %w", err)
	}
	s := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(string(bytes.TrimSpace(b))), "=")
	key, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("cluster.key-file: %s does not hold 32 bytes in base64; 'rescind keys generate' makes such a file", c.Cluster.KeyFile)
	}
	return key, nil
}

// minAdminToken is the fewest characters of an admin token.
const minAdminToken = 16

// AdminToken reads admin.token-file. It returns nil if none is set. Errors
// never repeat the content.
func (c *Config) AdminToken() ([]byte, error) {
	if c.Admin.TokenFile == "" {
		return nil, nil
	}
	b, err := os.ReadFile(c.Admin.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("admin.token-file: %w", err)
	}
	b = bytes.TrimSpace(b)
	if len(b) < minAdminToken || bytes.ContainsFunc(b, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("admin.token-file: %s does not hold a token of at least %d printable characters; 'rescind keys generate' makes one", c.Admin.TokenFile, minAdminToken)
	}
	return b, nil
}

// quoted returns the content of a YAML flow sequence.
func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = strconv.Quote(s)
	}
	return strings.Join(q, ", ")
}

// Print writes every setting in force, as YAML, and where it comes from.
func (c *Config) Print(w io.Writer) error {
	var b strings.Builder
	section := ""
	for _, s := range Settings() {
		name, key, _ := strings.Cut(s.Key, ".")
		if name != section {
			fmt.Fprintf(&b, "%s:\n", name)
			section = name
		}
		v := c.values[s.Key]
		switch {
		case s.Key == "tokens.issuers":
			fmt.Fprintf(&b, "  issuers: # %s\n", v.source)
			for _, i := range c.Tokens.Issuers {
				fmt.Fprintf(&b, "    - issuer: %q\n      audience: [%s]\n      algorithms: [%s]\n", i.Issuer, quoted(i.Audience), quoted(i.Algorithms))
				fmt.Fprintf(&b, "      jwks-url: %q\n      jwks-file: %q\n      hs256-secret-file: %q\n", i.JWKSURL, i.JWKSFile, i.HS256SecretFile)
			}
		default:
			fmt.Fprintf(&b, "  %s: %q # %s\n", key, v.text, v.source)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
