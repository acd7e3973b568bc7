package config

import "testing"

func TestOneTimeSettings(t *testing.T) {
	cfg, err := load([]string{"--one-time.strict=true", "--one-time.buckets=16", "--one-time.replicas=3", "--nats.url=nats://127.0.0.1:4222", "--one-time.on-double-use=end-session"}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := (OneTime{Strict: true, Buckets: 16, Replicas: 3, OnDoubleUse: "end-session"}); cfg.OneTime != want {
		t.Errorf("%+v", cfg.OneTime)
	}
	for name, args := range map[string][]string{
		"no server":      {"--one-time.strict=true"},
		"each its own":   {"--one-time.strict=true", "--nats.embedded=127.0.0.1:0", "--gossip.bind=127.0.0.1:0"},
		"even replicas":  {"--one-time.replicas=2"},
		"no buckets":     {"--one-time.buckets=0"},
		"too many":       {"--one-time.buckets=65"},
		"neither":        {"--one-time.strict=yes"},
		"unknown action": {"--one-time.on-double-use=ignore"},
	} {
		if _, err := load(args, nil, ""); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := load([]string{"--one-time.strict=true", "--nats.embedded=127.0.0.1:0"}, nil, ""); err != nil {
		t.Errorf("a node alone: %v", err)
	}
}
