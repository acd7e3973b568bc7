package config

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
)

// live are the settings that a running node takes over from a changed file;
// every other needs a restart.
var live = []string{
	"cluster.transport-keys-file", "cluster.forget-after",
	"http.trusted-proxies", "http.client-rate", "http.tls-cert-file", "http.tls-key-file",
	"admin.token-file", "admin.tokens-file", "admin.rate", "admin.scope",
	"admin.client-ca-file", "admin.client-crl-file", "admin.client-names",
	"oauth.clients-file", "oauth.issuer", "oauth.key-file", "oauth.status-list-size", "oauth.status-list-ttl",
	"tokens.issuers", "events.email", "events.poll-wait", "events.poll-max",
	"memory.limit", "revocations.max", "revocations.issuer-share", "revocations.ack", "revocations.isolated",
	"checks.on-stale", "checks.max-staleness", "checks.version-wait",
	"shutdown.delay", "log.level",
}

// own are the settings in which nodes of one cluster differ by nature; the rest
// should be the same on all.
var own = []string{
	"node.name", "cluster.bootstrap", "http.addr", "http.tls-cert-file", "http.tls-key-file", "admin.addr", "grpc.addr",
	"gossip.bind", "gossip.advertise", "gossip.join", "nats.url", "nats.embedded", "nats.creds-file", "nats.nkey-file", "nats.token-file",
	"nats.user", "nats.password-file", "nats.tls-ca-file", "nats.tls-cert-file", "nats.tls-key-file",
	"events.receivers-file",
	"cluster.key-file", "cluster.transport-keys-file", "admin.token-file", "admin.tokens-file", "admin.client-ca-file", "admin.client-crl-file",
	"oauth.clients-file", "oauth.key-file", "data.dir", "memory.limit", "shutdown.delay", "tracing.otlp-endpoint", "log.level", "log.format",
}

// Files returns the files from which the settings themselves were read: the
// settings file and a list of issuers of its own. Those that settings name are
// not among them.
func (c *Config) Files() []string { return slices.Clone(c.files) }

// Changed returns the keys of the settings in which next differs from c.
func (c *Config) Changed(next *Config) (keys []string) {
	for _, s := range table() {
		if !reflect.DeepEqual(s.show(c), s.show(next)) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// NeedRestart returns those of Changed that a running node does not take over.
func (c *Config) NeedRestart(next *Config) (keys []string) {
	for _, key := range c.Changed(next) {
		if !slices.Contains(live, key) {
			keys = append(keys, key)
		}
	}
	for key, pair := range map[string][2]string{
		"http.tls-cert-file": {c.HTTP.CertFile, next.HTTP.CertFile},
		"http.tls-key-file":  {c.HTTP.KeyFile, next.HTTP.KeyFile},
	} {
		if (pair[0] == "") != (pair[1] == "") { // another certificate will do, but not TLS that begins or ends
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Given reports whether the setting key was set anywhere, if only to its default.
func (c *Config) Given(key string) bool { return c.sources[key] != "default" }

// Digest is the same on nodes with the same settings, apart from those in which
// nodes differ by nature, such as addresses and paths. It is made of no secret.
func (c *Config) Digest() [sha256.Size]byte {
	h := sha256.New()
	for _, s := range table() {
		if !slices.Contains(own, s.Key) {
			fmt.Fprintf(h, "%q=%q\n", s.Key, fmt.Sprint(s.show(c)))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
