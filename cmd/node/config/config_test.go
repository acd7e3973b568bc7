package config

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestKubernetesVariables(t *testing.T) {
	for _, pair := range []string{
		"RESCIND_SERVICE_HOST=10.0.0.1", "RESCIND_SERVICE_PORT=8080", "RESCIND_SERVICE_PORT_HTTP=8080", "RESCIND_PORT=tcp://10.0.0.1:8080",
		"RESCIND_PORT_8080_TCP=tcp://10.0.0.1:8080", "RESCIND_PORT_8080_TCP_PROTO=tcp", "RESCIND_PORT_8080_TCP_PORT=8080", "RESCIND_PORT_8080_TCP_ADDR=10.0.0.1",
		"RESCIND_GOSSIP_SERVICE_HOST=10.0.0.1", "RESCIND_GOSSIP_SERVICE_PORT=7946", "RESCIND_GOSSIP_SERVICE_PORT_GOSSIP_UDP=7946",
		"RESCIND_A_B_PORT=udp://10.0.0.1:7946", "RESCIND_GOSSIP_PORT_7946_UDP=udp://10.0.0.1:7946", "RESCIND_GOSSIP_PORT_7946_UDP_ADDR=10.0.0.1",
		"PATH=/bin", "RESCINDED=1", "rescind_x=1",
	} {
		if _, err := load(nil, []string{pair}, ""); err != nil {
			t.Errorf("%s: %v", pair, err)
		}
	}
	for _, pair := range []string{"RESCIND_HTTP_PORT=80", "RESCIND_PORT=80", "RESCIND_PORT_TCP=1", "RESCIND_SERVICE=x", "RESCIND_SERVICE_NAME=x", "RESCIND_=x", "RESCIND_SERVICE_HOST=db", "RESCIND_SERVICE_PORT=http"} {
		if _, err := load(nil, []string{pair}, ""); err == nil {
			t.Errorf("%s is accepted", pair)
		}
	}
}

func TestDerivedValues(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		get  func(*Config) string
		want string
	}{
		"gossip on when seeds are given": {[]string{"--gossip.join=127.0.0.1:1"}, func(c *Config) string { return c.Gossip.Bind }, "127.0.0.1:7946"},
		"and beyond loopback with a key": {[]string{"--gossip.join=node1", "--cluster.key-file=k"}, func(c *Config) string { return c.Gossip.Bind }, "0.0.0.0:7946"},
		"a bare IPv6 host":               {[]string{"--gossip.bind=::1"}, func(c *Config) string { return c.Gossip.Bind }, "[::1]:7946"},
		"a bracketed one":                {[]string{"--gossip.bind=[::1]"}, func(c *Config) string { return c.Gossip.Bind }, "[::1]:7946"},
		"repeated seeds":                 {[]string{"--gossip.join=127.0.0.1:1", "--gossip.join", "dns+localhost"}, func(c *Config) string { return strings.Join(c.Gossip.Join, " ") }, "127.0.0.1:1 dns+localhost:7946"},
		"the last of a repeated flag":    {[]string{"--data.dir=a", "--data.dir=b"}, func(c *Config) string { return c.Data.Dir }, "b"},
		"embedded alone":                 {[]string{"--nats.embedded"}, func(c *Config) string { return c.NATS.Embedded }, "127.0.0.1:4222"},
		"embedded before a flag":         {[]string{"--nats.embedded", "--data.dir=b"}, func(c *Config) string { return c.NATS.Embedded + c.Data.Dir }, "127.0.0.1:4222b"},
		"embedded at its URL":            {[]string{"--nats.embedded=true", "--nats.url=nats://127.0.0.1:99"}, func(c *Config) string { return c.NATS.Embedded }, "127.0.0.1:99"},
		"embedded at a URL without port": {[]string{"--nats.embedded=true", "--nats.url=nats://[::1]"}, func(c *Config) string { return c.NATS.Embedded }, "[::1]:4222"},
		"advertised at the bound port":   {[]string{"--gossip.bind=127.0.0.1:99", "--gossip.advertise=::1"}, func(c *Config) string { return c.Gossip.Advertise }, "[::1]:99"},
		"advertised at a port":           {[]string{"--gossip.bind=127.0.0.1:99", "--gossip.advertise=127.0.0.1:98"}, func(c *Config) string { return c.Gossip.Advertise }, "127.0.0.1:98"},
		"advertised, bound at any port":  {[]string{"--gossip.bind=127.0.0.1:0", "--gossip.advertise=127.0.0.1"}, func(c *Config) string { return c.Gossip.Advertise }, "127.0.0.1:7946"},
		"off":                            {nil, func(c *Config) string { return c.Gossip.Bind + c.NATS.Embedded + c.NATS.URL }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.get(mustLoad(t, c.args, nil, "")); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestIssuers(t *testing.T) {
	c := mustLoad(t, nil, nil, `
tokens:
  issuers:
    - {issuer: a, audience: one, jwks-url: "http://[::1]:1/jwks"}
    - {issuer: b, audience: [one, two], hs256-secret-file: s}
    - {issuer: c, algorithms: [ES512], jwks-file: f, types: [at+jwt], auth-time: true, allow-no-exp: false}
`)
	want := []Issuer{
		{Issuer: "a", Audience: []string{"one"}, Algorithms: []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"}, JWKSURL: "http://[::1]:1/jwks"},
		{Issuer: "b", Audience: []string{"one", "two"}, Algorithms: []string{"HS256"}, HS256SecretFile: "s"},
		{Issuer: "c", Algorithms: []string{"ES512"}, JWKSFile: "f", Types: []string{"at+jwt"}, AuthTime: true},
	}
	if !reflect.DeepEqual(c.Tokens.Issuers, want) {
		t.Errorf("%+v\nwant %+v", c.Tokens.Issuers, want)
	}
	if again := mustLoad(t, nil, nil, print(t, c)); !reflect.DeepEqual(settled(again), settled(c)) {
		t.Errorf("%+v after Print", again)
	}
}

func TestIssuersFile(t *testing.T) {
	path := write(t, "issuers.json", "[\n\t{\"issuer\": \"a\", \"audience\": \"x\\ty\",\n\t\"jwks-file\": \"f\"}]")
	for _, l := range []Loader{{Args: []string{"--tokens.issuers", path}}, {Environ: []string{"RESCIND_TOKENS_ISSUERS=" + path}}} {
		c, err := l.Load()
		if err != nil {
			t.Fatal(err)
		}
		if i := c.Tokens.Issuers; len(i) != 1 || i[0].Issuer != "a" || i[0].Audience[0] != "x\ty" {
			t.Errorf("%+v", i)
		}
	}
	path = write(t, "bad.yaml", "- issuer: a\n  jwks-file: f\n  aud: b\n")
	if _, err := (Loader{Args: []string{"--tokens.issuers", path}}).Load(); err == nil || !strings.Contains(err.Error(), "bad.yaml:3") {
		t.Error(err)
	}
}

func TestPrint(t *testing.T) {
	c := mustLoad(t, []string{"--gossip.join=localhost,127.0.0.1:2"}, []string{"RESCIND_LOG_LEVEL=warn"}, "tokens:\n  leeway: 1m\n  issuers:\n    - {issuer: x, audience: [a, b], logout-audience: rp, events-audience: [e], events-poll-url: 'https://z', events-poll-token-file: f, events-subjects: [s], events-only: true, jwks-file: y, status-lists: https://x/l/, status-jwks-url: https://s/k, accept-unknown-status: true, publish-status: x}\n")
	const want = `node:
  name: "" # default
cluster:
  name: rescind # default
  key-file: "" # default
  transport-keys-file: "" # default
  members: [] # default
  join-timeout: 10s # default
  bootstrap: false # default
  forget-after: 1h # default
http:
  addr: 127.0.0.1:8080 # default
  trusted-proxies: [] # default
  client-rate: 0 # default
  tls-cert-file: "" # default
  tls-key-file: "" # default
admin:
  token-file: "" # default
  tokens-file: "" # default
  rate: 0 # default
  addr: "" # default
  scope: "" # default
  client-ca-file: "" # default
  client-crl-file: "" # default
  client-names: [] # default
grpc:
  addr: "" # default
oauth:
  clients-file: "" # default
  issuer: "" # default
  key-file: "" # default
  status-list-size: 131072 # default
  status-list-ttl: 1m # default
gossip:
  bind: 127.0.0.1:7946 # from gossip.join and cluster.key-file
  advertise: "" # default
  join: ['localhost:7946', '127.0.0.1:2'] # --gossip.join
  regional: false # default
nats:
  url: "" # default
  embedded: false # default
  creds-file: "" # default
  nkey-file: "" # default
  token-file: "" # default
  user: "" # default
  password-file: "" # default
  tls-ca-file: "" # default
  tls-cert-file: "" # default
  tls-key-file: "" # default
data:
  dir: ./rescind-data # default
tokens:
  leeway: 1m # node.yaml:2
  max-lifetime: 720h # default
  # node.yaml:4
  issuers:
    - issuer: x
      audience: [a, b]
      logout-audience: [rp]
      events-audience: [e]
      events-poll-url: https://z
      events-poll-token-file: f
      events-subjects: [s]
      events-only: true
      algorithms: [RS256, PS256, ES256, ES384, EdDSA]
      jwks-file: y
      status-lists: ['https://x/l/']
      status-jwks-url: https://s/k
      accept-unknown-status: true
      publish-status: [x]
memory:
  limit: "" # default
revocations:
  max: 10000000 # default
  issuer-share: 50 # default
  ack: local # default
  isolated: accept # default
checks:
  on-stale: serve # default
  max-staleness: 10s # default
  version-wait: 1s # default
shutdown:
  delay: 5s # default
tracing:
  otlp-endpoint: "" # default
log:
  level: warn # RESCIND_LOG_LEVEL
  format: text # default
events:
  email: refuse # default
  receivers-file: "" # default
  queue-bytes: 67108864 # default
  poll-wait: 1m # default
  poll-max: 100 # default
one-time:
  strict: false # default
  buckets: 4 # default
  replicas: 1 # default
  dangerously-assume-sync: false # default
  on-double-use: report # default
store:
  kind: disk # default
  stream: "" # default
  domain: "" # default
  replicas: 1 # default
  max-bytes: 1GiB # default
  dangerously-assume-sync: false # default
`
	if got := print(t, c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClusterKey(t *testing.T) {
	raw := []byte(strings.Repeat("\xfb\xef\xbe\xff", 8)) // has + - / _ in base64
	for content, ok := range map[string]bool{
		base64.StdEncoding.EncodeToString(raw): true, base64.RawStdEncoding.EncodeToString(raw): true,
		base64.URLEncoding.EncodeToString(raw): true, " " + base64.RawURLEncoding.EncodeToString(raw) + "\r\n": true,
		base64.StdEncoding.EncodeToString(raw[1:]): false, base64.StdEncoding.EncodeToString(append(raw, 1)): false,
		base64.StdEncoding.EncodeToString(raw) + "=": false, strings.Repeat("A", 42) + "F": false, "": false, string(raw): false,
	} {
		var c Config
		c.Cluster.KeyFile = write(t, "cluster.key", content)
		key, err := c.ClusterKey()
		if (err == nil) != ok || ok && string(key) != string(raw) {
			t.Errorf("with %q: %x, %v", content, key, err)
		}
		checkSecretError(t, err, "cluster.key-file", c.Cluster.KeyFile, content)
	}
}

func TestAdminToken(t *testing.T) {
	for content, ok := range map[string]bool{
		"0123456789abcdef\n": true, "\t0123456789abcdef~!": true, "0123456789abcde": false, "0123456789 abcdef": false,
		"0123456789abcdéf": false, "": false, " \n": false, "0123456789abcdef\x00": false,
	} {
		var c Config
		c.Admin.TokenFile = write(t, "admin.token", content)
		token, err := c.AdminToken()
		if (err == nil) != ok || ok && string(token) != strings.TrimSpace(content) {
			t.Errorf("with %q: %q, %v", content, token, err)
		}
		checkSecretError(t, err, "admin.token-file", c.Admin.TokenFile, content)
	}
}

// checkSecretError: an error names the setting and the path, not the content.
func checkSecretError(t *testing.T, err error, key, path, content string) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	if !strings.Contains(text, key) || !strings.Contains(text, path) || len(content) > 8 && strings.Contains(text, content[:8]) {
		t.Errorf("with %q: %v", content, err)
	}
}

func TestSecretsNotSetOrNotThere(t *testing.T) {
	var c Config
	key, err := c.ClusterKey()
	token, err2 := c.AdminToken()
	if key != nil || token != nil || err != nil || err2 != nil {
		t.Error(key, token, err, err2)
	}
	c.Cluster.KeyFile, c.Admin.TokenFile = "/nonexistent/k", "/nonexistent/t"
	_, err = c.ClusterKey()
	_, err2 = c.AdminToken()
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err2, fs.ErrNotExist) {
		t.Error(err, err2)
	}
	// What is no path to a file may be the secret itself.
	checkSecretError(t, err, "cluster.key-file", "use the path", c.Cluster.KeyFile)
	checkSecretError(t, err2, "admin.token-file", "use the path", c.Admin.TokenFile)
}
