package config

import (
	"errors"
	"strings"
	"testing"
)

// TestProblems is the table of what is refused, and in which words.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		args, environ []string
		file          string
		want          string // lines after the first
	}{
		"unknown flag":        {args: []string{"--http.adr", "x"}, want: "--http.adr (flag): there is no such setting; did you mean --http.addr?"},
		"flag in one word":    {args: []string{"--gossip-join=x"}, want: "--gossip-join (flag): there is no such setting; did you mean --gossip.join?"},
		"flag, no section":    {args: []string{"--leeway=1s"}, want: "--leeway (flag): there is no such setting; did you mean --tokens.leeway?"},
		"nothing near":        {args: []string{"--verbose"}, want: "--verbose (flag): there is no such setting; `rescind serve --help` lists them all"},
		"unknown key":         {file: "http:\n  adr: x\n", want: "http.adr (node.yaml:2): there is no such setting; did you mean http.addr?"},
		"unknown section":     {file: "gosip: {}\n", want: "gosip (node.yaml:1): there is no such section; did you mean gossip?"},
		"not nested":          {file: "http.addr: x\n", want: `http.addr (node.yaml:1): nest it: "addr:" below "http:"`},
		"unknown variable":    {environ: []string{"RESCIND_HTTP_ADR=x"}, want: "RESCIND_HTTP_ADR (environment): there is no such setting; did you mean RESCIND_HTTP_ADDR?"},
		"empty and unknown":   {environ: []string{"RESCIND_HTTP_ADR="}, want: "RESCIND_HTTP_ADR (environment): there is no such setting; did you mean RESCIND_HTTP_ADDR?"},
		"secret in a value":   {environ: []string{"RESCIND_ADMIN_TOKEN=hunter2"}, want: "RESCIND_ADMIN_TOKEN (environment): there is no such setting; did you mean RESCIND_ADMIN_TOKEN_FILE?"},
		"bad flag":            {args: []string{"--http.addr", "x"}, want: `http.addr is "x" (--http.addr): use host:port, such as 127.0.0.1:8080 or 0.0.0.0:8080`},
		"bad value":           {file: "\n\nlog:\n  level: loud\n", want: `log.level is "loud" (node.yaml:4): use debug, info, warn or error`},
		"bad variable":        {environ: []string{"RESCIND_REVOCATIONS_MAX=0"}, want: `revocations.max is "0" (RESCIND_REVOCATIONS_MAX): use a number from 1 to 2147483647`},
		"leeway":              {args: []string{"--tokens.leeway=61s"}, want: `tokens.leeway is "61s" (--tokens.leeway): use a duration from 0s to 1m, with a unit, such as 500ms, 10s or 1h`},
		"no unit":             {file: "checks:\n  max-staleness: 10", want: `checks.max-staleness is "10" (node.yaml:2): use a duration of more than 0s, with a unit, such as 500ms, 10s or 1h`},
		"size":                {args: []string{"--store.max-bytes=1TB"}, want: `store.max-bytes is "1TB" (--store.max-bytes): use a number of bytes with a unit, such as 512MiB or 2GiB, of at least 1MiB`},
		"size, too large":     {args: []string{"--store.max-bytes=99999999999GiB"}, want: `store.max-bytes is "99999999999GiB" (--store.max-bytes): use a number of bytes with a unit, such as 512MiB or 2GiB, of at least 1MiB`},
		"no shared servers":   {args: []string{"--store.kind=jetstream"}, want: `store.kind is "jetstream" (--store.kind): set nats.url to the NATS servers that all nodes share, also on a node that embeds one`},
		"negative delay":      {args: []string{"--shutdown.delay", "-1s"}, want: `shutdown.delay is "-1s" (--shutdown.delay): use a duration of at least 0s, with a unit, such as 500ms, 10s or 1h`},
		"ack":                 {args: []string{"--revocations.ack", "some"}, want: `revocations.ack is "some" (--revocations.ack): use local, majority, all, or a number of other nodes up to 10000`},
		"twice in the file":   {file: "http:\n  addr: :1\n  addr: :2\n", want: "http.addr (node.yaml:3): use each key once; it is on line 2 already"},
		"section twice":       {file: "log: {}\nhttp: {}\nlog: {}\n", want: "log (node.yaml:3): use each key once; it is on line 1 already"},
		"list for a value":    {file: "http:\n  addr: [a]\n", want: "http.addr (node.yaml:2): use a single value, not a list and not keys"},
		"alias":               {file: "log:\n  level: &a info\n  format: *a\n", want: "config (node.yaml:2): use plain YAML, without anchors, aliases and tags"},
		"tag":                 {file: "log:\n  level: !x info\n", want: "config (node.yaml:2): use plain YAML, without anchors, aliases and tags"},
		"two documents":       {file: "log:\n  level: info\n---\n", want: "config (node.yaml:3): use one YAML document, not several"},
		"no mapping":          {file: "hello", want: `config is "hello" (node.yaml:1): use keys with values, each on a line of its own`},
		"large":               {file: "#" + strings.Repeat("x", maxFile), want: `config is "node.yaml" (--config): use a file of at most 1 MiB`},
		"missing file":        {args: []string{"--config", "gone"}, want: `config is "gone" (--config): use a file that can be read: file does not exist`},
		"missing file, env":   {environ: []string{"RESCIND_CONFIG=gone"}, want: `config is "gone" (RESCIND_CONFIG): use a file that can be read: file does not exist`},
		"operand":             {args: []string{"start"}, want: "start (argument): use flags only, as in --http.addr 127.0.0.1:8080"},
		"flag without value":  {args: []string{"--http.addr", "--log.level=warn"}, want: "http.addr (--http.addr): use a value after the flag"},
		"a forgotten host":    {args: []string{"--gossip.bind=7946"}, want: `gossip.bind is "7946" (--gossip.bind): use host:port or a host, such as 0.0.0.0:7946`},
		"no key, gossip":      {args: []string{"--gossip.bind", "0.0.0.0:1"}, want: "gossip.bind is \"0.0.0.0:1\" (--gossip.bind): beyond loopback, set cluster.key-file to a key that `rescind keys generate` makes"},
		"no key, advertise":   {args: []string{"--gossip.advertise", "10.0.0.1"}, want: "gossip.advertise is \"10.0.0.1\" (--gossip.advertise): beyond loopback, set cluster.key-file to a key that `rescind keys generate` makes"},
		"no key, join":        {args: []string{"--gossip.join", "localhost,dns+peers:1"}, want: "gossip.join is \"localhost,dns+peers:1\" (--gossip.join): beyond loopback, set cluster.key-file to a key that `rescind keys generate` makes"},
		"no key, NATS":        {args: []string{"--nats.url", "nats://127.0.0.1,nats://nats"}, want: "nats.url is \"nats://127.0.0.1,nats://nats\" (--nats.url): beyond loopback, set cluster.key-file to a key that `rescind keys generate` makes"},
		"no key, embedded":    {args: []string{"--nats.embedded", ":4222"}, want: "nats.embedded is \":4222\" (--nats.embedded): beyond loopback, set cluster.key-file to a key that `rescind keys generate` makes"},
		"which is embedded":   {args: []string{"--nats.embedded", "--nats.url=nats://[::1]:1,nats://[::1]:2"}, want: `nats.embedded is "true" (--nats.embedded): use host:port, because nats.url names several servers`},
		"password in a URL":   {args: []string{"--nats.url", "nats://u:p@127.0.0.1"}, want: `nats.url is "...127.0.0.1" (--nats.url): use a URL without user and password; they belong in nats.user and nats.password-file, nats.token-file or nats.creds-file`},
		"two logins":          {args: []string{"--nats.creds-file=c", "--nats.user=u", "--nats.password-file=p"}, want: `nats.creds-file is "c" (--nats.creds-file): set one of nats.creds-file, nats.user; a node logs in at NATS in one way`},
		"with a comma":        {args: []string{"--nats.url", "nats://u:hun,ter2@127.0.0.1"}, want: `nats.url is "...127.0.0.1" (--nats.url): use nats://host:port (or tls, ws, wss), several separated by commas`},
		"without a scheme":    {args: []string{"--nats.url", "u:hunter2@127.0.0.1,nats://u:p@h"}, want: `nats.url is "...h" (--nats.url): use nats://host:port (or tls, ws, wss), several separated by commas`},
		"without a host":      {args: []string{"--nats.url", "nats://u:hunter2"}, want: `nats.url is "nats:..." (--nats.url): use nats://host:port (or tls, ws, wss), several separated by commas`},
		"a bracket too few":   {args: []string{"--gossip.bind", "[::1"}, want: `gossip.bind is "[::1" (--gossip.bind): use host:port or a host, such as 0.0.0.0:7946`},
		"a bracket too many":  {args: []string{"--gossip.advertise", "::1]"}, want: `gossip.advertise is "::1]" (--gossip.advertise): use host:port or a host, such as 10.0.0.7:7946`},
		"operand with secret": {args: []string{"nats://u:p@h"}, want: "...h (argument): use flags only, as in --http.addr 127.0.0.1:8080"},
		"not UTF-8":           {args: []string{"--node.name=a\xff"}, want: `node.name is "a\xff" (--node.name): use valid UTF-8`},
		"deep":                {file: strings.Repeat("[", 20_000), want: "config is \"node.yaml\" (--config): use valid YAML: exceeded max depth of 10000"},
		"several at once": {args: []string{"--log.level=x", "--gossip.bind=10.1.1.1"}, environ: []string{"RESCIND_LOG_FORMAT=y"}, file: "http:\n  addr: z\n  port: 1\n",
			want: "http.port (node.yaml:3): there is no such setting; `rescind serve --help` lists them all\n" +
				"http.addr is \"z\" (node.yaml:2): use host:port, such as 127.0.0.1:8080 or 0.0.0.0:8080\n" +
				"log.level is \"x\" (--log.level): use debug, info, warn or error\n" +
				"log.format is \"y\" (RESCIND_LOG_FORMAT): use text or json\n" +
				"gossip.bind is \"10.1.1.1\" (--gossip.bind): beyond loopback, set cluster.key-file to a key that `rescind keys generate` makes"},
	} {
		t.Run(name, func(t *testing.T) { wantProblems(t, c.args, c.environ, c.file, c.want) })
	}
}

// wantProblems checks the error of Load, line by line after the first.
func wantProblems(t *testing.T, args, environ []string, file, want string) {
	t.Helper()
	c, err := load(args, environ, file)
	var several *Error
	if c != nil || !errors.As(err, &several) {
		t.Fatalf("error %v, want an *Error", err)
	}
	var lines []string
	for _, p := range several.Problems {
		lines = append(lines, p.String())
		if !strings.Contains(err.Error(), "\n  "+p.String()) {
			t.Errorf("%q lacks %q", err, p)
		}
	}
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBadYAMLNamesItsLine(t *testing.T) {
	_, err := load(nil, nil, "log:\n  level: info\n bad: [")
	if err == nil || !strings.Contains(err.Error(), "config (node.yaml:") || !strings.Contains(err.Error(), "use valid YAML") {
		t.Error(err)
	}
}

func TestFilesThatSetNothing(t *testing.T) {
	for _, file := range []string{" ", "\n", "# only a comment\n", "---\n", "null", "{}", "log:\n", "log:\n  level:\n", "log: {}\n"} {
		if _, err := load(nil, nil, file); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
}

func TestIssuerProblems(t *testing.T) {
	const hint = "use an entry with issuer, audience, logout-audience, events-audience, events-poll-url, events-poll-token-file, events-subjects, events-only, algorithms, jwks-url, jwks-file, hs256-secret-file, decryption-keys-file, status-lists, status-jwks-url, accept-unknown-status, publish-status, types, auth-time, allow-no-exp"
	for name, c := range map[string]struct{ list, want string }{
		"scalar":                {" x", "tokens.issuers is \"x\" (node.yaml:2): use a file that can be read: file does not exist"},
		"entry":                 {"\n    - x", `tokens.issuers[0] is "x" (node.yaml:3): ` + hint},
		"no issuer":             {"\n    - {jwks-file: f}", "tokens.issuers[0] (node.yaml:3): name its issuer, the iss of its tokens"},
		"no source":             {"\n    - issuer: x", `tokens.issuers[0] is "x" (node.yaml:3): use exactly one of jwks-url, jwks-file and hs256-secret-file`},
		"two sources":           {"\n    - {issuer: x, jwks-file: f, hs256-secret-file: s}", `tokens.issuers[0] is "x" (node.yaml:3): use exactly one of jwks-url, jwks-file and hs256-secret-file`},
		"field":                 {"\n    - issuer: x\n      jwks-uri: f", "tokens.issuers[0].jwks-uri (node.yaml:4): there is no such field; did you mean jwks-url?"},
		"field twice":           {"\n    - issuer: x\n      issuer: y", "tokens.issuers[0].issuer (node.yaml:4): use each key once"},
		"issuer twice":          {"\n    - {issuer: x, jwks-file: y}\n    - {issuer: x, jwks-file: z}", `tokens.issuers[1].issuer is "x" (node.yaml:4): use each issuer once; it is on line 3 already`},
		"none":                  {"\n    - issuer: x\n      jwks-file: y\n      algorithms: [none]", `tokens.issuers[0].algorithms is "none" (node.yaml:5): use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512`},
		"confusion":             {"\n    - issuer: x\n      jwks-file: y\n      algorithms: [RS256, HS256]", `tokens.issuers[0].algorithms is "HS256" (node.yaml:5): use HS256 only with hs256-secret-file`},
		"public":                {"\n    - issuer: x\n      hs256-secret-file: y\n      algorithms: [RS256]", `tokens.issuers[0].algorithms is "RS256" (node.yaml:5): use only HS256, HS384, HS512 with hs256-secret-file`},
		"not a list":            {"\n    - issuer: x\n      jwks-file: y\n      algorithms: RS256", `tokens.issuers[0].algorithms is "RS256" (node.yaml:5): use a list, such as [RS256, ES256]`},
		"http":                  {"\n    - issuer: x\n      jwks-url: http://example.com/jwks", `tokens.issuers[0].jwks-url is "http://example.com/jwks" (node.yaml:4): use an https URL without user and password, or http on loopback; who can change the keys in transit can sign tokens`},
		"poll":                  {"\n    - issuer: x\n      jwks-file: y\n      events-audience: e\n      events-poll-url: http://example.com", `tokens.issuers[0].events-poll-url is "http://example.com" (node.yaml:6): use an https URL without user and password, or http on loopback`},
		"poll without audience": {"\n    - issuer: x\n      jwks-file: y\n      events-poll-url: https://e", `tokens.issuers[0].events-poll-url is "https://e" (node.yaml:5): name events-audience too, the aud of the events; without it none is taken`},
		"poll without URL":      {"\n    - issuer: x\n      jwks-file: y\n      events-poll-token-file: f", `tokens.issuers[0].events-poll-token-file is "f" (node.yaml:5): use it only with events-poll-url`},
		"subjects of no events": {"\n    - issuer: x\n      jwks-file: y\n      events-subjects: s", `tokens.issuers[0].events-subjects (node.yaml:5): name events-audience too, the aud of the events; without it none is taken`},
		"status":                {"\n    - issuer: x\n      jwks-file: y\n      status-lists: [http://example.com/l/]", `tokens.issuers[0].status-lists is "http://example.com/l/" (node.yaml:5): use https URLs without user and password, or http on loopback`},
		"status alone":          {"\n    - {issuer: x, jwks-file: y, accept-unknown-status: true}", `tokens.issuers[0] is "x" (node.yaml:3): use status-jwks-url and accept-unknown-status only with status-lists`},
		"status name":           {"\n    - {issuer: x, jwks-file: y, publish-status: a/b}", `tokens.issuers[0].publish-status is "a/b" (node.yaml:3): use names of 1 to 64 letters, digits, -, _ and dots, with no dot at the beginning`},
		"status twice":          {"\n    - {issuer: x, jwks-file: y, publish-status: a}\n    - {issuer: z, jwks-file: y, publish-status: a}", `tokens.issuers[1].publish-status is "a" (node.yaml:4): use each name once; an entry of a list belongs to one issuer, and x has it already`},
		"two entries": {"\n    - {issuer: x, jwks: f}\n    - {issuer: y}",
			"tokens.issuers[0].jwks (node.yaml:3): there is no such field; use issuer, audience, logout-audience, events-audience, events-poll-url, events-poll-token-file, events-subjects, events-only, algorithms, jwks-url, jwks-file, hs256-secret-file, decryption-keys-file, status-lists, status-jwks-url, accept-unknown-status, publish-status, types, auth-time, allow-no-exp\n" +
				`tokens.issuers[1] is "y" (node.yaml:4): use exactly one of jwks-url, jwks-file and hs256-secret-file`},
	} {
		t.Run(name, func(t *testing.T) { wantProblems(t, nil, nil, "tokens:\n  issuers:"+c.list+"\n", c.want) })
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "1MiB": 1 << 20, "2GiB": 2 << 30, "1048577B": 1<<20 + 1, "3TiB": 3 << 40, "1025KiB": 1025 << 10} {
		if c := mustLoad(t, []string{"--memory.limit=" + text}, nil, ""); c.Memory.Limit != want {
			t.Errorf("%s is %d bytes", text, c.Memory.Limit)
		}
	}
	for _, text := range []string{"1", "0", "0MiB", "1023KiB", "-1GiB", "1.5GiB", "1 GiB", "1GB", "9223372036854775807TiB", "GiB", "x"} {
		_, err := load([]string{"--memory.limit=" + text}, nil, "")
		if err == nil || !strings.Contains(err.Error(), "of at least 1MiB") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
