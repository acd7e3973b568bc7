package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rescind"
)

// The functions here store one value or return what would be right.

// text stores a string that check accepts, perhaps completed.
func text(field func(*Config) *string, check func(string) (string, error)) func(*Config, value) error {
	return func(c *Config, v value) error {
		s, err := check(v.text)
		if err == nil {
			*field(c) = s
		}
		return err
	}
}

func anyText(s string) (string, error) { return s, nil }

func required(s string) (string, error) {
	if s == "" {
		return "", errors.New("a value")
	}
	return s, nil
}

func optional(check func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		return check(s)
	}
}

func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", errors.New(strings.Join(words, " or "))
		}
		return s, nil
	}
}

var clusterNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func clusterName(s string) (string, error) {
	if !clusterNames.MatchString(s) {
		return "", errors.New("1 to 64 letters, digits, - and _")
	}
	return s, nil
}

var errHostPort = errors.New("host:port, e.g. 127.0.0.1:8080 or 0.0.0.0:8080")

func hostPort(s string) (string, error) {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", errHostPort
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errHostPort
	}
	return s, nil
}

// gossipPort is memberlist's usual port.
const gossipPort = "7946"

// gossipAddr is hostPort where the port may be left out.
func gossipAddr(s string) (string, error) {
	if _, _, err := net.SplitHostPort(s); err != nil {
		s = net.JoinHostPort(strings.Trim(s, "[]"), gossipPort)
	}
	if full, err := hostPort(s); err == nil {
		return full, nil
	}
	return "", errors.New("host:port, e.g. 0.0.0.0:" + gossipPort)
}

// seeds stores gossip.join.
func seeds(c *Config, v value) error {
	for s := range strings.SplitSeq(v.text, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		name, dns := strings.CutPrefix(s, "dns+")
		full, err := gossipAddr(name)
		if err != nil {
			return errors.New("host:port or dns+name:port, separated by commas")
		}
		if dns {
			full = "dns+" + full
		}
		c.Gossip.Join = append(c.Gossip.Join, full)
	}
	return nil
}

func natsURLs(s string) (string, error) {
	for part := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return "", errors.New("nats://host:port (or tls, ws, wss), separated by commas")
		}
		if u.User != nil {
			return "", errors.New("a URL without a password; credentials go into nats.creds-file")
		}
	}
	return s, nil
}

// embedded stores nats.embedded; "true" is resolved when nats.url is known.
func embedded(c *Config, v value) error {
	switch v.text {
	case "", "false":
	case "true":
		c.NATS.Embedded = "true"
	default:
		addr, err := hostPort(v.text)
		if err != nil {
			return errors.New("true, false or host:port")
		}
		c.NATS.Embedded = addr
	}
	return nil
}

func duration(field func(*Config) *time.Duration, least, most time.Duration) func(*Config, value) error {
	return func(c *Config, v value) error {
		d, err := time.ParseDuration(v.text)
		if err != nil || d < least || d > most {
			return fmt.Errorf("a duration from %v to %v, e.g. 500ms, 10s or 1h", least, most)
		}
		*field(c) = d
		return nil
	}
}

func limit(c *Config, v value) error {
	n, err := strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 10, 64)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return fmt.Errorf("a number from 1 to %d", math.MaxInt32)
	}
	c.Revocations.Max = int(n)
	return nil
}

func ack(c *Config, v value) error {
	a, err := rescind.ParseAck(v.text)
	if err != nil || a == rescind.AckDefault {
		return errors.New("local, majority, all or a number of other nodes")
	}
	c.Revocations.Ack = a
	return nil
}

func logLevel(c *Config, v value) error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, v.text) {
		return errors.New("debug, info, warn or error")
	}
	var l slog.Level
	err := l.UnmarshalText([]byte(v.text))
	c.Log.Level = l
	return err
}
