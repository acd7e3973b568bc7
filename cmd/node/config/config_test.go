package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// good holds, for each key, values that are accepted and differ from each other
// once read.
var good = map[string][]string{
	"node.name": {"a", "b", "c"}, "cluster.name": {"x", "y-1", "z_2"}, "cluster.key-file": {"k1", "k2", "k3"},
	"cluster.join-timeout": {"1s", "2s", "3m"}, "cluster.forget-after": {"11s", "2h", "3h"},
	"http.addr": {"127.0.0.1:1", "0.0.0.0:2", ":3"}, "admin.token-file": {"t1", "t2", "t3"},
	"gossip.bind": {"127.0.0.1:1", "127.0.0.2", "[::1]:3"}, "gossip.advertise": {"127.0.0.1:4", "127.0.0.1:5", "127.0.0.1:6"},
	"gossip.join":   {"127.0.0.1:1", "dns+localhost:2,127.0.0.1:3", "localhost"},
	"nats.url":      {"nats://127.0.0.1:1", "tls://localhost:2", "nats://127.0.0.1:3,nats://127.0.0.1:4"},
	"nats.embedded": {"true", "127.0.0.1:7", "false"}, "nats.creds-file": {"c1", "c2", "c3"},
	"data.dir": {"d1", "d2", "d3"}, "tokens.issuers": {"i1.yaml", "i2.yaml", "i3.yaml"},
	"tokens.leeway": {"0s", "1s", "60s"}, "tokens.max-lifetime": {"1m", "1h", "2h"},
	"revocations.max": {"1", "2", "3_000"}, "revocations.ack": {"majority", "all", "3"}, "revocations.isolated": {"refuse", "accept", "refuse"},
	"checks.on-stale": {"reject", "serve", "reject"}, "checks.max-staleness": {"1s", "2s", "3s"},
	"shutdown.delay": {"0s", "1s", "2s"}, "log.level": {"debug", "warn", "error"}, "log.format": {"json", "text", "json"},
}

func readTest(path string) ([]byte, error) {
	if n, ok := strings.CutSuffix(path, ".yaml"); ok && n[0] == 'i' {
		return fmt.Appendf(nil, "- {issuer: 'https://%s', jwks-file: f}", n), nil
	}
	return nil, fs.ErrNotExist
}

func load(args, environ []string, file string) (*Config, error) {
	return Loader{Args: args, Environ: environ, Output: io.Discard, ReadFile: func(path string) ([]byte, error) {
		if path == "node.conf" {
			return []byte(file), nil
		}
		return readTest(path)
	}}.Load()
}

func inFile(key, value string) string {
	section, name, _ := strings.Cut(key, ".")
	return fmt.Sprintf("%s:\n  %s: %q\n", section, name, value)
}

// TestPrecedence: for every key, a flag beats the environment, which beats the
// file, which beats the default, whichever of them are given.
func TestPrecedence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(Settings()).Draw(t, "setting")
		values := good[s.Key]
		if len(values) < 3 {
			t.Fatalf("the test has no values for %s", s.Key)
		}
		var args, environ []string
		file, want, source := "", s.Default, "default"
		if rapid.Bool().Draw(t, "file") {
			args = append(args, "--config", "node.conf")
			file, want, source = inFile(s.Key, values[0]), values[0], "node.conf:2"
		}
		if rapid.Bool().Draw(t, "environment") {
			environ = append(environ, s.Env()+"="+values[1])
			want, source = values[1], s.Env()
		}
		if rapid.Bool().Draw(t, "flag") {
			want, source = values[2], "--"+s.Key
			if rapid.Bool().Draw(t, "joined") {
				args = append(args, "--"+s.Key+"="+values[2])
			} else {
				args = append(args, "--"+s.Key, values[2])
			}
		}
		c, err := load(args, environ, file)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.values[s.Key]; got.text != want || got.source != source {
			t.Fatalf("%s is %q from %s, want %q from %s", s.Key, got.text, got.source, want, source)
		}
		direct, err := load([]string{"--" + s.Key + "=" + want}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		c.values, direct.values = nil, nil
		if !reflect.DeepEqual(c, direct) {
			t.Fatalf("%s as %q gives %+v, as a flag %+v", s.Key, want, c, direct)
		}
	})
}

func TestEverySettingHasAnEffect(t *testing.T) {
	base, err := load(nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	base.values = nil
	for _, s := range Settings() {
		c, err := load([]string{"--" + s.Key, good[s.Key][0]}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		c.values = nil
		if reflect.DeepEqual(c, base) {
			t.Errorf("%s has no effect", s.Key)
		}
	}
}

// TestProblems is the table of what is refused, and in which words.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		args, environ []string
		file          string
		want          []string
	}{
		"unknown flag":       {args: []string{"--http.adr", "x"}, want: []string{"--http.adr", "http.addr?"}},
		"unknown key":        {file: "http:\n  adr: x\n", want: []string{"http.adr (node.conf:2)", "http.addr?"}},
		"unknown section":    {file: "htp:\n  addr: x\n", want: []string{"htp (node.conf:1)"}},
		"unknown variable":   {environ: []string{"RESCIND_HTTP_ADR=x"}, want: []string{"RESCIND_HTTP_ADR (environment)", "http.addr?"}},
		"bad flag":           {args: []string{"--http.addr", "x"}, want: []string{`http.addr is "x" (--http.addr)`, "host:port"}},
		"bad value":          {file: "\n\nlog:\n  level: loud\n", want: []string{`log.level is "loud" (node.conf:4)`, "debug, info, warn or error"}},
		"bad variable":       {environ: []string{"RESCIND_REVOCATIONS_MAX=-1"}, want: []string{`revocations.max is "-1" (RESCIND_REVOCATIONS_MAX)`, "a number from 1"}},
		"bad duration":       {args: []string{"--tokens.leeway=61s"}, want: []string{"from 0s to 1m0s"}},
		"twice in the file":  {file: "http:\n  addr: :1\n  addr: :2\n", want: []string{"http.addr (node.conf:3)", "once"}},
		"list for a value":   {file: "http:\n  addr: [a]\n", want: []string{"a single value"}},
		"anchors":            {file: "a: &a [x]\nb: *a\n", want: []string{"without anchors"}},
		"two documents":      {file: "log:\n  level: info\n---\n", want: []string{"one YAML document"}},
		"not YAML":           {file: "a: [", want: []string{"good YAML"}},
		"no mapping":         {file: "hello", want: []string{"keys with values"}},
		"missing file":       {args: []string{"--config", "gone"}, want: []string{"gone", "can be read"}},
		"operand":            {args: []string{"start"}, want: []string{"start", "flags only"}},
		"flag without value": {args: []string{"--http.addr"}, want: []string{"a value after the flag"}},
		"no key for gossip":  {args: []string{"--gossip.bind", "0.0.0.0:1"}, want: []string{"gossip.bind", "cluster.key-file", "keys generate"}},
		"no key for NATS":    {args: []string{"--nats.url", "nats://nats:4222"}, want: []string{"nats.url", "cluster.key-file"}},
		"password in a URL":  {args: []string{"--nats.url", "nats://u:p@127.0.0.1:4222"}, want: []string{"without a password"}},
		"ack of nobody":      {args: []string{"--revocations.ack", "some"}, want: []string{"local, majority, all"}},
		"issuer without key": {file: "tokens:\n  issuers:\n    - issuer: x\n", want: []string{"exactly one of", "line 3"}},
		"issuer field":       {file: "tokens:\n  issuers:\n    - {issuer: x, jwks: y}\n", want: []string{`not "jwks"`}},
		"issuer twice":       {file: "tokens:\n  issuers:\n    - {issuer: x, jwks-file: y}\n    - {issuer: x, jwks-file: z}\n", want: []string{"once", "line 4"}},
		"issuer none":        {file: "tokens:\n  issuers:\n    - {issuer: x, jwks-file: y, algorithms: [none]}\n", want: []string{`not "none"`}},
		"issuer confusion":   {file: "tokens:\n  issuers:\n    - {issuer: x, jwks-file: y, algorithms: [RS256, HS256]}\n", want: []string{"only with it"}},
		"jwks over http":     {file: "tokens:\n  issuers:\n    - {issuer: x, jwks-url: 'http://example.com/jwks'}\n", want: []string{"https"}},
		"several at once": {args: []string{"--log.level=x"}, environ: []string{"RESCIND_LOG_FORMAT=y"}, file: "http:\n  addr: z\n",
			want: []string{"log.level", "log.format", "http.addr"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := c.args
			if c.file != "" {
				args = append([]string{"--config=node.conf"}, args...)
			}
			_, err := load(args, c.environ, c.file)
			var problems *Error
			if !errors.As(err, &problems) {
				t.Fatalf("error %v, want an *Error", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func TestKubernetesVariablesAreIgnored(t *testing.T) {
	_, err := load(nil, []string{
		"RESCIND_SERVICE_HOST=10.0.0.1", "RESCIND_SERVICE_PORT=8080", "RESCIND_SERVICE_PORT_HTTP=8080", "RESCIND_PORT=tcp://10.0.0.1:8080",
		"RESCIND_PORT_8080_TCP=tcp://10.0.0.1:8080", "RESCIND_PORT_8080_TCP_PROTO=tcp", "RESCIND_PORT_8080_TCP_PORT=8080", "RESCIND_PORT_8080_TCP_ADDR=10.0.0.1",
		"RESCIND_GOSSIP_SERVICE_HOST=10.0.0.1", "RESCIND_GOSSIP_PORT_7946_UDP_ADDR=10.0.0.1", "PATH=/bin", "RESCIND_NODE_NAME=",
	}, "")
	if err != nil {
		t.Error(err)
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
		"repeated seeds":                 {[]string{"--gossip.join=127.0.0.1:1", "--gossip.join", "127.0.0.1:2"}, func(c *Config) string { return strings.Join(c.Gossip.Join, " ") }, "127.0.0.1:1 127.0.0.1:2"},
		"embedded alone":                 {[]string{"--nats.embedded"}, func(c *Config) string { return c.NATS.Embedded }, "127.0.0.1:4222"},
		"embedded at its URL":            {[]string{"--nats.embedded", "--nats.url=nats://127.0.0.1:99"}, func(c *Config) string { return c.NATS.Embedded }, "127.0.0.1:99"},
		"off":                            {nil, func(c *Config) string { return c.Gossip.Bind + c.NATS.Embedded + c.NATS.URL }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := load(c.args, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			if got := c.get(cfg); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestHelpNamesEverySetting(t *testing.T) {
	var out strings.Builder
	_, err := Loader{Args: []string{"--help"}, Output: &out}.Load()
	if !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, s := range Settings() {
		if !strings.Contains(out.String(), "--"+s.Key) || !strings.Contains(out.String(), s.Env()) {
			t.Errorf("--help does not name %s", s.Key)
		}
	}
}

// TestPrintCanBeRead: what 'config print' writes is a settings file with the
// same effect.
func TestPrintCanBeRead(t *testing.T) {
	c, err := load([]string{"--gossip.join=127.0.0.1:1,127.0.0.1:2", "--log.level=warn", "--config=node.conf"}, nil,
		"tokens:\n  issuers:\n    - {issuer: x, audience: [a, b], jwks-file: y}\n")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	again, err := load([]string{"--config=node.conf"}, nil, out.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	c.values, again.values = nil, nil
	if !reflect.DeepEqual(c, again) {
		t.Errorf("%+v printed and read again is %+v", c, again)
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := strings.Repeat("A", 42)
	for content, ok := range map[string]bool{
		key + "A=\n": true, key + "A": true, " " + key + "_-"[:1] + "\n": false, key + "E=": true, "": false, "short": false, key: false, key + "AAAA": false,
	} {
		c := &Config{}
		c.Cluster.KeyFile = write("key", content)
		b, err := c.ClusterKey()
		if (err == nil) != ok || ok && len(b) != 32 {
			t.Errorf("key file with %q: %d bytes, %v", content, len(b), err)
		}
		if err != nil && len(content) > 4 && strings.Contains(err.Error(), content) {
			t.Errorf("the error repeats the content: %v", err)
		}
	}
	for content, ok := range map[string]bool{"0123456789abcdef\n": true, "short": false, "0123456789 abcdef": false, "": false} {
		c := &Config{}
		c.Admin.TokenFile = write("admin", content)
		if _, err := c.AdminToken(); (err == nil) != ok {
			t.Errorf("admin file with %q: %v", content, err)
		}
	}
	if missing := maps.Collect(func(yield func(string, bool) bool) {
		for _, s := range Settings() {
			if good[s.Key] == nil && !yield(s.Key, true) {
				return
			}
		}
	}); len(missing) > 0 {
		t.Errorf("settings without a test value: %v", missing)
	}
}
