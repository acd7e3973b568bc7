package config

// Store says where revocations are kept.
type Store struct {
	Kind                  string // "disk" or "jetstream"
	Stream                string // empty: rescind-log- and the cluster's name
	Domain                string // JetStream domain; empty: the servers' own
	Replicas              int    // 1, 3 or 5
	MaxBytes              int64  // 0: 1 GiB
	DangerouslyAssumeSync bool
}

// storeRows are the settings of section store.
func storeRows() []setting {
	return []setting{
		row("store.kind", "disk", "where revocations are kept: disk (data.dir), or jetstream: one stream on the servers in nats.url that all nodes share, so that they need no disk", text(func(c *Config) *string { return &c.Store.Kind }, oneOf("disk", "jetstream"))),
		row("store.stream", "", "name of the stream; empty: rescind-log- and the cluster's name", text(func(c *Config) *string { return &c.Store.Stream }, optional(clusterName))),
		row("store.domain", "", "JetStream domain that the stream is in, where nats.url names leaf nodes of it; empty: the servers' own", text(func(c *Config) *string { return &c.Store.Domain }, optional(clusterName))),
		row("store.replicas", "1", "servers that hold the stream: 1, 3 or 5; counts when it is made", amongCounts(func(c *Config) *int { return &c.Store.Replicas }, "1, 3 or 5", func(n int) bool { return n == 1 || n == 3 || n == 5 })),
		row("store.max-bytes", "1GiB", "size at which the stream refuses more, such as 512MiB; counts when it is made", size(func(c *Config) *int64 { return &c.Store.MaxBytes }, 1<<20)),
		row("store.dangerously-assume-sync", "false", "true: every server in nats.url has sync_interval: always, which it does not tell; if one has not, a power failure can take acknowledged revocations", onOff(func(c *Config) *bool { return &c.Store.DangerouslyAssumeSync })),
	}
}

// sharedStore refuses a stream without servers that all nodes share.
func (r *reading) sharedStore(c *Config) {
	shared := c.NATS.URL != "" || c.NATS.Embedded != "" && c.Gossip.Bind == ""
	if c.Store.Kind == "jetstream" && !shared {
		r.bad("store.kind", r.values["store.kind"], "set nats.url to the NATS servers that all nodes share, also on a node that embeds one")
	}
}
