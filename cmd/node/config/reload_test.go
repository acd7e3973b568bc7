package config

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Every setting is taken over or needs a restart, and says so.
func TestNeedRestart(t *testing.T) {
	standard := mustLoad(t, nil, nil, "")
	if got := standard.Changed(mustLoad(t, nil, nil, "log: {format: text}\n")); got != nil {
		t.Errorf("the same settings differ in %v", got)
	}
	for _, s := range Settings() {
		changed := mustLoad(t, []string{"--" + s.Key, good[s.Key][0]}, needs[s.Key], "")
		keys := standard.Changed(changed)
		if !slices.Contains(keys, s.Key) {
			t.Errorf("a change of %s is not seen: %v", s.Key, keys)
		}
		begins := strings.HasPrefix(s.Key, "http.tls-") // TLS begins
		if restart := slices.Contains(standard.NeedRestart(changed), s.Key); restart == s.Live && !begins || begins && !restart {
			t.Errorf("%s is live: %v, and needs a restart: %v", s.Key, s.Live, restart)
		}
	}
	one, other := mustLoad(t, []string{"--http.tls-cert-file=a"}, nil, ""), mustLoad(t, []string{"--http.tls-cert-file=b"}, nil, "")
	if got := one.NeedRestart(other); got != nil {
		t.Errorf("another certificate needs a restart: %v", got)
	}
	for _, key := range slices.Concat(live, own) {
		if good[key][0] == "" {
			t.Errorf("there is no setting %s", key)
		}
	}
}

// The digest tells what should be the same on all nodes, and nothing else.
func TestDigest(t *testing.T) {
	standard := mustLoad(t, nil, nil, "")
	for _, s := range Settings() {
		changed := mustLoad(t, []string{"--" + s.Key, good[s.Key][0]}, needs[s.Key], "")
		differs := changed.Digest() != standard.Digest()
		if differs == slices.Contains(own, s.Key) && needs[s.Key] == nil {
			t.Errorf("%s changes the digest: %v", s.Key, differs)
		}
	}
}

func TestFiles(t *testing.T) {
	c := mustLoad(t, []string{"--tokens.issuers=i1.yaml"}, nil, "log: {level: debug}\n")
	if got := c.Files(); !slices.Equal(got, []string{"node.yaml", "i1.yaml"}) {
		t.Errorf("read from %v", got)
	}
	if !c.Given("log.level") || c.Given("log.format") {
		t.Error("it is not known what was set")
	}
	c = mustLoad(t, nil, nil, "tokens: {issuers: [{issuer: a, jwks-file: f}]}\n")
	if got := c.Files(); !slices.Equal(got, []string{"node.yaml"}) {
		t.Errorf("read from %v", got)
	}
}

// docs/operations.md says of each setting whether a running node takes it over.
func TestDocsSayWhatIsLive(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Reload")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]bool{}
	for line := range strings.Lines(section) {
		keys, effect, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !ok || !strings.HasPrefix(keys, "`") || strings.HasPrefix(keys, "`rescind_") {
			continue // no row, or one of a metric
		}
		for key := range strings.SplitSeq(keys, ", ") {
			documented[strings.Trim(key, "`")] = strings.HasPrefix(effect, "at once")
		}
	}
	for _, s := range Settings() {
		if live, ok := documented[s.Key]; !ok || live != s.Live {
			t.Errorf("the table under Reload says of %s: %v, %v; it is live: %v", s.Key, ok, live, s.Live)
		}
		delete(documented, s.Key)
	}
	for key := range documented {
		t.Errorf("the table under Reload has %s, which is no setting", key)
	}
}
