package config

import (
	"errors"
	"strconv"
)

// OneTime says how one-time tokens are used up.
type OneTime struct {
	Strict                bool
	Buckets               int // 1 to 64
	Replicas              int // 1, 3 or 5
	DangerouslyAssumeSync bool
	OnDoubleUse           string // "report" or "end-session"
}

// oneTimeRows are the settings of section one-time.
func oneTimeRows() []setting {
	return []setting{
		row("one-time.strict", "false", "let strict one-time tokens be used, which the servers in nats.url decide about with JetStream: true or false", onOff(func(c *Config) *bool { return &c.OneTime.Strict })),
		row("one-time.buckets", "4", "over how many JetStream buckets strict one-time tokens are spread, 1 to 64; the same on every node, and fixed once one was used", amongCounts(func(c *Config) *int { return &c.OneTime.Buckets }, "a number from 1 to 64", func(n int) bool { return n >= 1 && n <= 64 })),
		row("one-time.replicas", "1", "servers that hold each bucket: 1, 3 or 5", amongCounts(func(c *Config) *int { return &c.OneTime.Replicas }, "1, 3 or 5", func(n int) bool { return n == 1 || n == 3 || n == 5 })),
		row("one-time.dangerously-assume-sync", "false", "true: every server in nats.url has sync_interval: always, which it does not tell; if one has not, a power failure can let a token be used twice", onOff(func(c *Config) *bool { return &c.OneTime.DangerouslyAssumeSync })),
		row("one-time.on-double-use", "report", "what to do about a token that two nodes accepted in mode available: report, or end-session", text(func(c *Config) *string { return &c.OneTime.OnDoubleUse }, oneOf("report", "end-session"))),
	}
}

// onOff is true or false.
func onOff(field func(*Config) *bool) codec {
	return codec{
		store: func(c *Config, v value) error {
			if v.text != "true" && v.text != "false" {
				return errors.New("true or false")
			}
			*field(c) = v.text == "true"
			return nil
		},
		show: func(c *Config) any { return strconv.FormatBool(*field(c)) },
	}
}

// amongCounts is a small number that ok accepts.
func amongCounts(field func(*Config) *int, want string, ok func(int) bool) codec {
	return codec{
		store: func(c *Config, v value) error {
			n, err := strconv.Atoi(v.text)
			if err != nil || !ok(n) {
				return errors.New(want)
			}
			*field(c) = n
			return nil
		},
		show: func(c *Config) any { return strconv.Itoa(*field(c)) },
	}
}

// oneStore refuses strict one-time tokens without a server that all nodes share:
// two nodes that each ask their own would accept one token twice.
func (r *reading) oneStore(c *Config) {
	shared := c.NATS.URL != "" || c.NATS.Embedded != "" && c.Gossip.Bind == ""
	if c.OneTime.Strict && !shared {
		r.bad("one-time.strict", r.values["one-time.strict"], "set nats.url to the NATS server that all nodes share, also on the node that embeds it")
	}
}
