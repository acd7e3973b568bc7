// Package config reads the settings of 'node serve'.
//
// Every setting is a key in the YAML file, an environment variable
// RESCIND_SECTION_KEY and a flag --section.key. A flag beats the environment,
// which beats the file, which beats the default. One table, [Settings], is the
// source of all of them. Unknown keys and bad values are refused, all at once,
// each with where it came from and what would be right.
//
// Values that name files are paths, relative to the working directory wherever
// they were set. Secrets are only ever read from files.
package config

import (
	"log/slog"
	"time"

	"rescind"
)

// Config holds the settings of one node.
type Config struct {
	Node struct {
		Name string // empty: the host's name
	}
	Cluster struct {
		Name                     string
		JoinTimeout, ForgetAfter time.Duration
		KeyFile                  string // empty: no key, loopback only
	}
	HTTP  struct{ Addr string }
	Admin struct {
		TokenFile string // empty: admin endpoints are off
	}
	Gossip struct {
		Bind      string // empty: memberlist is off
		Advertise string
		Join      []string
	}
	NATS struct {
		URL       string
		Embedded  string // host:port; empty: no embedded server
		CredsFile string
	}
	Data   struct{ Dir string }
	Tokens struct {
		Leeway, MaxLifetime time.Duration
		Issuers             []Issuer
	}
	Revocations struct {
		Max      int
		Ack      rescind.Ack
		Isolated string // "accept" or "refuse"
	}
	Checks struct {
		OnStale      string // "serve" or "reject"
		MaxStaleness time.Duration
	}
	Shutdown struct{ Delay time.Duration }
	Log      struct {
		Level  slog.Level
		Format string // "text" or "json"
	}

	values map[string]value // as given, for Print
}

// Issuer is one entry of tokens.issuers.
type Issuer struct {
	Issuer          string
	Audience        []string
	Algorithms      []string
	JWKSURL         string
	JWKSFile        string
	HS256SecretFile string
}

// Setting describes one setting.
type Setting struct {
	Key     string
	Default string
	Doc     string

	set func(*Config, value) error
}

// Env returns the name of the setting's environment variable.
func (s Setting) Env() string { return envName(s.Key) }

// Settings returns every setting in the order in which people should read them.
func Settings() []Setting {
	return []Setting{
		{"node.name", "", "name of this node, unique in the cluster; the host's name if empty", text(func(c *Config) *string { return &c.Node.Name }, anyText)},
		{"cluster.name", "rescind", "name that all members share: 1 to 64 letters, digits, - and _", text(func(c *Config) *string { return &c.Cluster.Name }, clusterName)},
		{"cluster.key-file", "", "file with the cluster's key, 32 bytes in base64; without it only loopback addresses are allowed", text(func(c *Config) *string { return &c.Cluster.KeyFile }, anyText)},
		{"cluster.join-timeout", "10s", "how long a starting node looks for a peer", duration(func(c *Config) *time.Duration { return &c.Cluster.JoinTimeout }, time.Millisecond, time.Hour)},
		{"cluster.forget-after", "1h", "how long an unreachable member still counts", duration(func(c *Config) *time.Duration { return &c.Cluster.ForgetAfter }, 10*time.Second, 8760*time.Hour)},
		{"http.addr", "127.0.0.1:8080", "host:port of the HTTP face", text(func(c *Config) *string { return &c.HTTP.Addr }, hostPort)},
		{"admin.token-file", "", "file with the admin token, at least 16 characters; without it admin endpoints are off", text(func(c *Config) *string { return &c.Admin.TokenFile }, anyText)},
		{"gossip.bind", "", "host:port of memberlist, UDP and TCP; empty turns it off, unless gossip.join is set", text(func(c *Config) *string { return &c.Gossip.Bind }, optional(gossipAddr))},
		{"gossip.advertise", "", "host:port at which other members reach this one; derived from gossip.bind if empty", text(func(c *Config) *string { return &c.Gossip.Advertise }, optional(gossipAddr))},
		{"gossip.join", "", "seeds, host:port or dns+name:port, separated by commas", seeds},
		{"nats.url", "", "NATS servers, nats://host:port, separated by commas", text(func(c *Config) *string { return &c.NATS.URL }, optional(natsURLs))},
		{"nats.embedded", "false", "run a NATS server in this process: false, host:port, or true for the address in nats.url, else 127.0.0.1:4222", embedded},
		{"nats.creds-file", "", "NATS credentials file", text(func(c *Config) *string { return &c.NATS.CredsFile }, anyText)},
		{"data.dir", "rescind-data", "folder of this node's revocations, for it alone", text(func(c *Config) *string { return &c.Data.Dir }, required)},
		{"tokens.issuers", "", "list of issuer, audience, algorithms, and jwks-url, jwks-file or hs256-secret-file; as a flag or variable, a YAML or JSON file with that list", issuers},
		{"tokens.leeway", "5s", "clock leeway in checking exp, nbf and iat, at most 60s", duration(func(c *Config) *time.Duration { return &c.Tokens.Leeway }, 0, rescind.MaxLeeway)},
		{"tokens.max-lifetime", "720h", "longest lifetime of any token, and of revocations that state no expiry", duration(func(c *Config) *time.Duration { return &c.Tokens.MaxLifetime }, time.Minute, rescind.MaxLifetimeLimit)},
		{"revocations.max", "10000000", "live revocations at which new ones are refused", limit},
		{"revocations.ack", "local", "nodes that must have a revocation on disk before it is acknowledged: local, majority, all, or a number of other nodes", ack},
		{"revocations.isolated", "accept", "revocations while no peer is heard for cluster.forget-after: accept or refuse", text(func(c *Config) *string { return &c.Revocations.Isolated }, oneOf("accept", "refuse"))},
		{"checks.on-stale", "serve", "checks while this node may be too far behind: serve or reject", text(func(c *Config) *string { return &c.Checks.OnStale }, oneOf("serve", "reject"))},
		{"checks.max-staleness", "10s", "how far behind is too far", duration(func(c *Config) *time.Duration { return &c.Checks.MaxStaleness }, time.Millisecond, 8760*time.Hour)},
		{"shutdown.delay", "5s", "how long to go on serving after SIGTERM, with /readyz at 503", duration(func(c *Config) *time.Duration { return &c.Shutdown.Delay }, 0, time.Hour)},
		{"log.level", "info", "debug, info, warn or error", logLevel},
		{"log.format", "text", "text or json", text(func(c *Config) *string { return &c.Log.Format }, oneOf("text", "json"))},
	}
}
