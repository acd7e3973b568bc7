package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// good holds, for each key, three values that are accepted; neighbours differ
// once read. They need no other setting.
var good = map[string][3]string{
	"node.name": {"a", "b", "c"}, "cluster.name": {"x", "y-1", "z_2"}, "cluster.key-file": {"k1", "k2", "k3"}, "cluster.transport-keys-file": {"t1", "t2", "t3"},
	"cluster.members":      {"a", "b,a, c", "e,f,g,h,i"},
	"cluster.join-timeout": {"1s", "2s", "3m"}, "cluster.forget-after": {"11s", "2h", "3h"}, "cluster.bootstrap": {"true", "false", "true"},
	"http.addr": {"127.0.0.1:1", "0.0.0.0:2", ":3"}, "http.trusted-proxies": {"10.0.0.0/8", "127.0.0.1, ::1", "fd00::/8"}, "admin.token-file": {"t1", "t2", "t3"},
	"http.client-rate": {"1", "2", "3_0"}, "http.tls-cert-file": {"f1", "f2", "f3"}, "http.tls-key-file": {"f1", "f2", "f3"},
	"events.receivers-file": {"r1", "r2", "r3"}, "events.queue-bytes": {"1", "2", "3_000"},
	"admin.tokens-file": {"t1", "t2", "t3"}, "admin.client-ca-file": {"f1", "f2", "f3"}, "admin.client-crl-file": {"f1", "f2", "f3"}, "admin.client-names": {"cn:a", "dns:b.example, uri:spiffe://c/d", "cn:e f"}, "admin.rate": {"1", "2", "30"}, "admin.scope": {"a", "b", "c"}, "admin.addr": {"127.0.0.1:1", ":2", "0.0.0.0:3"},
	"events.email": {"subject", "refuse", "subject"}, "events.poll-wait": {"1s", "90s", "5m"}, "events.poll-max": {"1", "2", "500"},
	"grpc.addr": {"127.0.0.1:1", ":2", "0.0.0.0:3"}, "oauth.clients-file": {"c1", "c2", "c3"}, "oauth.issuer": {"https://a", "https://b/c", "http://127.0.0.1:8080"}, "oauth.key-file": {"k1", "k2", "k3"},
	"oauth.status-list-size": {"8", "1_048_576", "16777216"}, "oauth.status-list-ttl": {"1s", "90s", "1h"},
	"gossip.bind": {"127.0.0.1:1", "127.0.0.2", "[::1]:0"}, "gossip.advertise": {"localhost", "::1", "127.0.0.1:6"},
	"gossip.regional": {"true", "false", "true"},
	"gossip.join":     {"127.0.0.1:1", "dns+localhost:2, 127.0.0.1:3", "localhost"},
	"nats.url":        {"nats://127.0.0.1:1", "tls://localhost", "ws://127.0.0.1:3,wss://[::1]:4"},
	"nats.embedded":   {"true", "127.0.0.1:7", "false"}, "nats.creds-file": {"c1", "c2", "c3"},
	"nats.nkey-file": {"n1", "n2", "n3"}, "nats.token-file": {"t1", "t2", "t3"}, "nats.user": {"a", "b", "c"}, "nats.password-file": {"p1", "p2", "p3"},
	"nats.tls-ca-file": {"f1", "f2", "f3"}, "nats.tls-cert-file": {"f1", "f2", "f3"}, "nats.tls-key-file": {"f1", "f2", "f3"},
	"data.dir": {"d1", "/d 2", "~"}, "tokens.issuers": {"i1.yaml", "i2.yaml", "i3.yaml"},
	"tokens.leeway": {"0s", "1s", "60s"}, "tokens.max-lifetime": {"1m", "90m", "43920h"},
	"memory.limit": {"1MiB", "3GiB", "1537KiB"}, "revocations.max": {"1", "2", "3_000"}, "revocations.issuer-share": {"1", "100", "3_0"}, "revocations.ack": {"majority", "all", "3"}, "revocations.isolated": {"refuse", "accept", "refuse"},
	"checks.on-stale": {"reject", "serve", "reject"}, "checks.max-staleness": {"1ns", "2s", "3s"}, "checks.version-wait": {"1ms", "2s", "1m"},
	"one-time.strict": {"true", "false", "true"}, "one-time.buckets": {"1", "16", "64"}, "one-time.replicas": {"3", "5", "1"},
	"one-time.dangerously-assume-sync": {"true", "false", "true"}, "one-time.on-double-use": {"end-session", "report", "end-session"},
	"store.kind": {"jetstream", "disk", "jetstream"}, "store.stream": {"a", "b", "c"}, "store.domain": {"a", "b", "c"}, "store.replicas": {"3", "5", "1"},
	"store.max-bytes": {"1MiB", "512MiB", "30GiB"}, "store.dangerously-assume-sync": {"true", "false", "true"},
	"shutdown.delay": {"0s", "1s", "100h"}, "tracing.otlp-endpoint": {"http://c:4318", "https://c/v1/traces", "http://127.0.0.1:1"}, "log.level": {"debug", "warn", "error"}, "log.format": {"json", "text", "json"},
}

// needs are variables without which a setting is refused.
var needs = map[string][]string{"cluster.members": {"RESCIND_NATS_URL=nats://127.0.0.1:1"}, "one-time.strict": {"RESCIND_NATS_URL=nats://127.0.0.1:1"}, "store.kind": {"RESCIND_NATS_URL=nats://127.0.0.1:1"}}

// load reads settings with a file system that holds file as node.yaml and the
// issuer lists of good. With an empty file no --config is given.
func load(args, environ []string, file string) (*Config, error) {
	if file != "" {
		args = append([]string{"--config", "node.yaml"}, args...)
	}
	return Loader{Args: args, Environ: environ, Output: io.Discard, ReadFile: func(path string) ([]byte, error) {
		if path == "node.yaml" {
			return []byte(file), nil
		}
		if n, ok := strings.CutSuffix(path, ".yaml"); ok && n[0] == 'i' {
			return fmt.Appendf(nil, "- {issuer: 'https://%s', jwks-file: f}", n), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}}.Load()
}

func inFile(key, value string) string {
	section, name, _ := strings.Cut(key, ".")
	return fmt.Sprintf("%s:\n  %s: %q\n", section, name, value)
}

// settled returns c without what tells where it came from.
func settled(c *Config) Config {
	bare := *c
	bare.sources, bare.read, bare.files = nil, nil, nil
	return bare
}

// TestPrecedence: for every key, a flag beats the environment, which beats the
// file, which beats the default, whichever of them are given, and a value
// means the same in all of them.
func TestPrecedence(t *testing.T) {
	for _, s := range Settings() {
		t.Run(s.Key, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkPrecedence(t, s) })
		})
	}
}

func checkPrecedence(t *rapid.T, s Setting) {
	values := rapid.Permutation(append([]string(nil), sliceOf(good[s.Key])...)).Draw(t, "values")
	var args, environ []string
	file, want, source := "", s.Default, "default"
	if rapid.Bool().Draw(t, "file") {
		file, want, source = inFile(s.Key, values[0]), values[0], "node.yaml:2"
	}
	switch rapid.IntRange(0, 2).Draw(t, "environment") {
	case 1:
		environ = []string{s.Env + "="} // counts as not set
	case 2:
		environ = []string{s.Env + "=" + values[1]}
		want, source = values[1], s.Env
	}
	if rapid.Bool().Draw(t, "flag") {
		want, source = values[2], "--"+s.Key
		args = rapid.SampledFrom([][]string{{"--" + s.Key, want}, {"--" + s.Key + "=" + want}, {"-" + s.Key, want}}).Draw(t, "form")
	}
	got, err := load(args, append(environ, needs[s.Key]...), file)
	if err != nil {
		t.Fatal(err)
	}
	if from, _, _ := strings.Cut(got.sources[s.Key], ","); from != source {
		t.Fatalf("%s is from %s, want %s", s.Key, from, source)
	}
	direct, err := load([]string{"--" + s.Key + "=" + want}, needs[s.Key], "")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(settled(got), settled(direct)) {
		t.Fatalf("%s as %q from %s gives %+v, as a flag %+v", s.Key, want, source, got, direct)
	}
}

func sliceOf(a [3]string) []string { return a[:] }

// TestRoundTrip: each way of setting a key has the same effect, has one at
// all, and what Print shows loads to the same settings.
func TestRoundTrip(t *testing.T) {
	standard := mustLoad(t, nil, nil, "")
	for _, s := range Settings() {
		for k, v := range good[s.Key] {
			if v == "" {
				t.Fatalf("the test has no values for %s", s.Key)
			}
			byFlag := settled(mustLoad(t, []string{"--" + s.Key, v}, needs[s.Key], ""))
			byEnviron := settled(mustLoad(t, nil, append([]string{s.Env + "=" + v}, needs[s.Key]...), ""))
			byFile := mustLoad(t, nil, needs[s.Key], inFile(s.Key, v))
			if !reflect.DeepEqual(byFlag, byEnviron) || !reflect.DeepEqual(byFlag, settled(byFile)) {
				t.Errorf("%s=%s is\n%+v as a flag,\n%+v as a variable,\n%+v in the file", s.Key, v, byFlag, byEnviron, byFile)
			}
			if k == 0 && reflect.DeepEqual(byFlag, settled(standard)) {
				t.Errorf("%s has no effect", s.Key)
			}
			printed := print(t, byFile)
			if again := mustLoad(t, nil, nil, printed); !reflect.DeepEqual(settled(again), byFlag) {
				t.Errorf("%s=%s is %+v after Print, was %+v\n%s", s.Key, v, again, byFlag, printed)
			}
		}
	}
	if len(good) != len(Settings()) {
		t.Errorf("the test has values for %d settings of %d", len(good), len(Settings()))
	}
}

// TestPrintAnyText: whatever a value holds, Print quotes it so that it reads
// back.
func TestPrintAnyText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"null", "~", "true", "a: b", "# x", "a\nb\n", "\n", " a", "- a", "*a", "&a", "!a b", "<<", "a\x00", "\ufeff", "0x1", "\u2028", "'\"", "%", "@", "\t"})).Draw(rt, "text")
		c := settled(mustLoad(t, []string{"--node.name=" + text, "--nats.creds-file=" + text}, nil, ""))
		again := settled(mustLoad(t, nil, nil, print(t, &c)))
		if !reflect.DeepEqual(c, again) {
			rt.Fatalf("%q reads back as %q", text, again.Node.Name)
		}
	})
}

func mustLoad(t *testing.T, args, environ []string, file string) *Config {
	t.Helper()
	c, err := load(args, environ, file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func print(t *testing.T, c *Config) string {
	t.Helper()
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHelpNamesEverySetting(t *testing.T) {
	var out strings.Builder
	_, err := Loader{Args: []string{"--no.such", "x", "--help"}, Output: &out}.Load()
	if !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, s := range Settings() {
		if !strings.Contains(out.String(), "--"+s.Key+" ("+s.Env) || !strings.Contains(out.String(), s.Doc) {
			t.Errorf("--help does not show %s", s.Key)
		}
		if s.Doc == "" || strings.Contains(s.Doc, "\n") {
			t.Errorf("the doc of %s is not one line", s.Key)
		}
	}
}

// TestAnyFile: no file makes the reader panic.
func TestAnyFile(t *testing.T) {
	part := rapid.SampledFrom([]string{"tokens:", "issuers:", "gossip:", "join:", "\n", "  ", "- ", "[", "]", "{", "}", "a", ": ", "&a ", "*a", "!!int ", "? ", "---\n", "...\n", "# x", "\t", "\"", "<<", "|", "null", "\x00", "%YAML 1.1"})
	rapid.Check(t, func(t *rapid.T) {
		file := strings.Join(rapid.SliceOfN(part, 1, 20).Draw(t, "file"), "")
		c, err := load(nil, nil, file)
		var several *Error
		if (c == nil) == (err == nil) || err != nil && !errors.As(err, &several) {
			t.Fatalf("%q: %v, %v", file, c, err)
		}
	})
}
