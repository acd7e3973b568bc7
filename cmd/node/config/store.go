package config

import (
	"errors"
	"strconv"
	"strings"
)

// Store says where revocations are kept.
type Store struct {
	Kind                  string // "disk" or "jetstream"
	Stream                string // empty: rescind-log- and the cluster's name
	Replicas              int    // 1, 3 or 5
	MaxBytes              int64  // positive
	DangerouslyAssumeSync bool
}

// storeRows are the settings of section store.
func storeRows() []setting {
	return []setting{
		row("store.kind", "disk", "where revocations are kept: disk (data.dir), or jetstream: one stream on the servers in nats.url that all nodes share, so that they need no disk", text(func(c *Config) *string { return &c.Store.Kind }, oneOf("disk", "jetstream"))),
		row("store.stream", "", "name of the stream; empty: rescind-log- and the cluster's name", text(func(c *Config) *string { return &c.Store.Stream }, optional(clusterName))),
		row("store.replicas", "1", "servers that hold the stream: 1, 3 or 5; counts when it is made", amongCounts(func(c *Config) *int { return &c.Store.Replicas }, "1, 3 or 5", func(n int) bool { return n == 1 || n == 3 || n == 5 })),
		row("store.max-bytes", "1GiB", "size at which the stream refuses more, in bytes or with KiB, MiB or GiB; counts when it is made", size(func(c *Config) *int64 { return &c.Store.MaxBytes })),
		row("store.dangerously-assume-sync", "false", "true: every server in nats.url has sync_interval: always, which it does not tell; if one has not, a power failure can take acknowledged revocations", onOff(func(c *Config) *bool { return &c.Store.DangerouslyAssumeSync })),
	}
}

// units are those of a size, the largest first.
var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// size is a positive number of bytes below 2^50.
func size(field func(*Config) *int64) codec {
	return codec{
		store: func(c *Config, v value) error {
			for _, u := range units {
				digits, ok := strings.CutSuffix(v.text, u.name)
				if !ok {
					continue
				}
				n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(digits), "_", ""), 10, 64)
				if err != nil || n < 1 || n >= 1<<50/u.bytes {
					break
				}
				*field(c) = n * u.bytes
				return nil
			}
			return errors.New("a size, such as 512MiB or 4GiB")
		},
		show: func(c *Config) any {
			n := *field(c)
			for _, u := range units {
				if n%u.bytes == 0 {
					return strconv.FormatInt(n/u.bytes, 10) + u.name
				}
			}
			return ""
		},
	}
}

// sharedStore refuses a stream without servers that all nodes share.
func (r *reading) sharedStore(c *Config) {
	shared := c.NATS.URL != "" || c.NATS.Embedded != "" && c.Gossip.Bind == ""
	if c.Store.Kind == "jetstream" && !shared {
		r.bad("store.kind", r.values["store.kind"], "set nats.url to the NATS servers that all nodes share, also on a node that embeds one")
	}
}
