package config

import (
	"slices"
	"strings"
	"time"

	"rescind"
)

// Setting describes one setting.
type Setting struct {
	Key     string // "section.key": the name in the file, and of the flag after --
	Default string // as one would write it; empty: none
	Doc     string // one line
	Env     string // the environment variable
	Live    bool   // a running node takes over a new value
}

// Settings returns every setting in the order in which people should read them.
func Settings() []Setting {
	var all []Setting
	for _, s := range table() {
		all = append(all, s.Setting)
	}
	return all
}

// setting is a Setting and how it is stored.
type setting struct {
	Setting
	codec
}

// table returns the one source of flags, environment, file, help and Print.
func table() []setting {
	return slices.Concat([]setting{
		row("node.name", "", "name of this node, unique in the cluster; empty: the host's name", text(func(c *Config) *string { return &c.Node.Name }, anyText)),
		row("cluster.name", "rescind", "name that all members share: 1 to 64 letters, digits, - and _", text(func(c *Config) *string { return &c.Cluster.Name }, clusterName)),
		row("cluster.key-file", "", "file with the cluster's key, 32 bytes in base64; without it only loopback addresses are allowed", text(func(c *Config) *string { return &c.Cluster.KeyFile }, anyText)),
		row("cluster.transport-keys-file", "", "file with the keys that seal messages between nodes, one a line, each like the cluster's key: the first seals, all open; read again when it changes; empty: the cluster's key", text(func(c *Config) *string { return &c.Cluster.TransportKeysFile }, anyText)),
		row("cluster.members", "", "names of the nodes that keep revocations, this one among them, the same on all: 1, or 3 to 9, as a list or separated by commas; the flag may be repeated; acknowledgements and the staleness go by majorities of them; empty: whoever is heard is a member", members()),
		row("cluster.join-timeout", "10s", "how long a starting node looks for a peer", duration(func(c *Config) *time.Duration { return &c.Cluster.JoinTimeout }, 1, 0)),
		row("cluster.bootstrap", "false", "this is the first node of a new cluster: with an empty folder it becomes ready although its seeds don't answer; ignored once a member is met; with cluster.members: it may found the cluster with a majority of them, on the first start only: true or false", onOff(func(c *Config) *bool { return &c.Cluster.Bootstrap })),
		row("cluster.forget-after", "1h", "how long a member that can't be reached still counts", duration(func(c *Config) *time.Duration { return &c.Cluster.ForgetAfter }, 1, 0)),
		row("http.addr", "127.0.0.1:8080", "host:port of the HTTP face", text(func(c *Config) *string { return &c.HTTP.Addr }, listenAddr)),
		row("http.trusted-proxies", "", "addresses and networks of the proxies whose X-Forwarded-For tells the client's address: a list, or separated by commas; the flag may be repeated", proxies()),
		row("http.client-rate", "0", "log-outs, revocations and events a second that one client address may make; 0: no limit, but 50 of log-outs and revocations by a token alone from one public address", number(func(c *Config) *int { return &c.HTTP.ClientRate }, 0)),
		row("http.tls-cert-file", "", "file with the certificate chain, in PEM; read again when it changes; empty: no TLS", text(func(c *Config) *string { return &c.HTTP.CertFile }, anyText)),
		row("http.tls-key-file", "", "file with its private key, in PEM", text(func(c *Config) *string { return &c.HTTP.KeyFile }, anyText)),
		row("admin.token-file", "", "file with the admin token, at least 16 characters; without any, admin endpoints are off", text(func(c *Config) *string { return &c.Admin.TokenFile }, anyText)),
		row("admin.tokens-file", "", "YAML file with several, a list of name and sha256; read again when it changes", text(func(c *Config) *string { return &c.Admin.TokensFile }, anyText)),
		row("admin.rate", "0", "requests a second that one operator may make; 0: no limit", number(func(c *Config) *int { return &c.Admin.Rate }, 0)),
		row("admin.addr", "", "host:port of a listener of their own for the admin endpoints, which http.addr then does not serve; empty: none", text(func(c *Config) *string { return &c.Admin.Addr }, optional(listenAddr))),
		row("admin.scope", "", "scope by which an access token of any configured issuer makes its subject an operator; empty: none does", text(func(c *Config) *string { return &c.Admin.Scope }, anyText)),
		row("admin.client-ca-file", "", "file with the authorities whose TLS client certificates may make operators, in PEM; needs http.tls-cert-file; empty: none does", text(func(c *Config) *string { return &c.Admin.ClientCAFile }, anyText)),
		row("admin.client-crl-file", "", "file with their lists of revoked certificates, in PEM, one of each; a list that is out of date lets nobody in; empty: none is revoked", text(func(c *Config) *string { return &c.Admin.ClientCRLFile }, anyText)),
		row("admin.client-names", "", "who of them may be an operator, as uri:, dns: or cn: and a name of the certificate: a list, or separated by commas; the flag may be repeated", clientNames()),
		row("grpc.addr", "", "host:port at which Envoy asks by gRPC (ext_authz); empty: none", text(func(c *Config) *string { return &c.GRPC.Addr }, optional(listenAddr))),
		row("oauth.clients-file", "", "YAML file with the clients of the OAuth endpoints, a list of id, secret-hash, introspect and audience; read again when it changes", text(func(c *Config) *string { return &c.OAuth.ClientsFile }, anyText)),
		row("oauth.issuer", "", "URL under which clients know this node, the iss of signed introspection", text(func(c *Config) *string { return &c.OAuth.Issuer }, optional(issuerURL))),
		row("oauth.key-file", "", "file with the keys that sign introspection and status lists, the same on all nodes; empty: answers are not signed", text(func(c *Config) *string { return &c.OAuth.KeyFile }, anyText)),
		row("oauth.status-list-size", "131072", "entries of each status list that publish-status in tokens.issuers names, a multiple of 8", statusListSize()),
		row("oauth.status-list-ttl", "1m", "how long readers may keep such a list; a node that may be further behind publishes none", duration(func(c *Config) *time.Duration { return &c.OAuth.StatusListTTL }, time.Second, time.Hour)),
		row("gossip.bind", "", "host:port of memberlist, UDP and TCP, port 7946 if left out; empty: off, unless gossip.join is set", text(func(c *Config) *string { return &c.Gossip.Bind }, optional(gossipListen))),
		row("gossip.advertise", "", "host:port at which other members reach this one; empty: derived from gossip.bind", text(func(c *Config) *string { return &c.Gossip.Advertise }, optional(advertised))),
		row("gossip.join", "", "seeds, host:port, dns+name:port or dnssrv+name (SRV records): a list, or separated by commas; the flag may be repeated", join()),
		row("gossip.regional", "false", "gossip stays within a region and NATS connects regions, so that members which gossip does not reach are no problem: true or false", onOff(func(c *Config) *bool { return &c.Gossip.Regional })),
	}, natsRows(), []setting{
		row("data.dir", "./rescind-data", "folder of this node's revocations, for it alone", text(func(c *Config) *string { return &c.Data.Dir }, notEmpty)),
		row("tokens.leeway", "5s", "clock leeway in checking exp, nbf and iat, at most 60s", duration(func(c *Config) *time.Duration { return &c.Tokens.Leeway }, 0, rescind.MaxLeeway)),
		row("tokens.max-lifetime", "720h", "longest lifetime of any token, and of revocations that state no expiry", duration(func(c *Config) *time.Duration { return &c.Tokens.MaxLifetime }, time.Minute, rescind.MaxLifetimeLimit)),
		row("tokens.issuers", "", "list of issuer, audience, logout-audience (the client_id in logout tokens; empty: audience), events-audience (aud of its security events; empty: none are taken), events-poll-url and events-poll-token-file (where those are polled, with which bearer token; empty: they are pushed), events-subjects (other issuers whose subjects and sessions its events may name), events-only (its tokens open nothing: true for a transmitter that is no issuer of access tokens), algorithms and one of jwks-url, jwks-file, hs256-secret-file, decryption-keys-file for encrypted tokens, status-lists (where its Token Status Lists are: https URLs, one that ends in / stands for all below it; empty: they do not count), status-jwks-url (the keys that sign those; empty: its own), accept-unknown-status (accept tokens while their list can not be had), publish-status (names of the status lists that this cluster publishes for its tokens), types (the typ of access tokens, such as at+jwt; empty: at+jwt, JWT or none, save what betrays an ID, refresh or logout token), auth-time (count auth_time as the time of issue) and allow-no-exp; as a flag or variable, the path of a YAML or JSON file with that list", issuerList()),
		row("memory.limit", "", "memory that the process may take, such as 2GiB; with it revocations.max is by default what fits, and else is refused if it does not, and it bounds what clients may take before they are authenticated; empty: GOMEMLIMIT, else 90 % of the limit of the process's control group, or no limit", size(func(c *Config) *int64 { return &c.Memory.Limit }, 1<<20)),
		row("revocations.max", "10000000", "live revocations at which new ones are refused; see memory.limit", count(func(c *Config) *int { return &c.Revocations.Max })),
		row("revocations.issuer-share", "50", "percent of revocations.max that a node accepts on behalf of one issuer, if several are trusted, save from administrators; 0: no bound", percent(func(c *Config) *int { return &c.Revocations.IssuerShare })),
		row("revocations.ack", "local", "nodes that must hold a revocation on disk before it is acknowledged: local, majority, all, or a number of other nodes; with cluster.members the default is majority", ack()),
		row("revocations.isolated", "accept", "revocations while no peer is heard for cluster.forget-after: accept or refuse", text(func(c *Config) *string { return &c.Revocations.Isolated }, oneOf("accept", "refuse"))),
		row("checks.on-stale", "serve", "checks while this node may be too far behind: serve or reject", text(func(c *Config) *string { return &c.Checks.OnStale }, oneOf("serve", "reject"))),
		row("checks.max-staleness", "10s", "how far behind is too far", duration(func(c *Config) *time.Duration { return &c.Checks.MaxStaleness }, 1, 0)),
		row("checks.version-wait", "1s", "how long a check that presents the version of a revocation waits for it", duration(func(c *Config) *time.Duration { return &c.Checks.VersionWait }, time.Millisecond, time.Minute)),
		row("shutdown.delay", "5s", "how long to go on serving after SIGTERM, with /readyz at 503", duration(func(c *Config) *time.Duration { return &c.Shutdown.Delay }, 0, 0)),
		row("tracing.otlp-endpoint", "", "URL of an OpenTelemetry collector that takes spans of the HTTP and gRPC faces by OTLP over HTTP; empty: no spans", text(func(c *Config) *string { return &c.Tracing.OTLPEndpoint }, optional(collectorURL))),
		row("log.level", "info", "debug, info, warn or error", logLevel()),
		row("log.format", "text", "text or json", text(func(c *Config) *string { return &c.Log.Format }, oneOf("text", "json"))),
	}, eventRows(), oneTimeRows(), storeRows())
}

func row(key, standard, doc string, c codec) setting {
	return setting{Setting{Key: key, Default: standard, Doc: doc, Env: envName(key), Live: slices.Contains(live, key)}, c}
}

const envPrefix = "RESCIND_"

// envName returns the environment variable of key.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}
