package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rescind/cmd/node/config"
	"rescind/httpapi"
)

// TestTransmitting follows the name and the keys of oauth, and refuses receivers
// without them.
func TestTransmitting(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	var out bytes.Buffer
	if code := run(t.Context(), env{[]string{"keys", "generate", "--dir", dir}, nil, &out, &out}); code != 0 {
		t.Fatal(out.String())
	}
	put(t, file("receivers.yaml"), "- {name: a, audience: b, push: 'https://127.0.0.1:1', token-file: "+file("push.token")+"}\n")
	put(t, file("push.token"), "a-token\n")
	load := func(args ...string) *config.Config {
		args = append([]string{"--data.dir", file("data"), "--events.receivers-file", file("receivers.yaml")}, args...)
		cfg, err := config.Loader{Args: args}.Load()
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	none := load()
	if _, err := startTransmitting(none, httpapi.Config{}, slog.New(slog.DiscardHandler)); err == nil || checkFiles(none) == nil {
		t.Error("events have no name, and nobody minds")
	}
	cfg := load("--oauth.key-file", file("oauth.jwks"), "--oauth.issuer", "https://one.example")
	if err := checkFiles(cfg); err != nil {
		t.Fatal(err)
	}
	api, err := apiConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	told, err := startTransmitting(cfg, api, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer told.close()
	commit, err := told.prepare(load("--oauth.key-file", file("oauth.jwks"), "--oauth.issuer", "https://two.example"))
	if err != nil || told.Issuer() != "https://one.example" {
		t.Fatalf("%v, %s", err, told.Issuer())
	}
	if commit(); told.Issuer() != "https://two.example" {
		t.Error(told.Issuer())
	}
	if _, err := told.prepare(none); err == nil {
		t.Error("the name is taken away, and nobody minds")
	}
	if err := os.Remove(file("push.token")); err != nil {
		t.Fatal(err)
	}
	if err := checkFiles(cfg); err == nil || !strings.Contains(err.Error(), "token-file of a") {
		t.Error(err)
	}
	var nobody *transmitting
	if commit, err := nobody.prepare(none); err != nil || commit == nil || nobody.close() != nil {
		t.Error(err)
	}
}
