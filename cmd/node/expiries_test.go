package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rescind/cmd/node/config"
)

// TestExpiries: what of a certificate, of authorities and of their lists ends first is
// known; config check refuses what is out of date, which was said nowhere.
func TestExpiries(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	writeCertificate(t, dir, 1) // for an hour
	writeClient(t, dir, "alice")
	args := []string{
		"--http.tls-cert-file", file("cert.pem"), "--http.tls-key-file", file("key.pem"),
		"--admin.client-ca-file", file("cert.pem"), "--admin.client-crl-file", file("alice.crl"), "--admin.client-names", "cn:alice",
	}
	cfg, err := config.Loader{Args: args}.Load()
	if err != nil {
		t.Fatal(err)
	}
	list, err := expiriesOf(cfg)
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, setting := range []string{"http.tls-cert-file", "admin.client-ca-file", "admin.client-crl-file"} {
		left := time.Until(list[i].Expires)
		if list[i].Setting != setting || left < 50*time.Minute || left > time.Hour {
			t.Errorf("%+v", list[i])
		}
	}
	var warned []string
	warn := func(text string) { warned = append(warned, text) }
	if err := checkExpiries(cfg, time.Now(), warn); err != nil || len(warned) != 0 {
		t.Errorf("%v, %v", err, warned)
	}
	if err := checkExpiries(cfg, time.Now().Add(50*time.Minute), warn); err != nil || len(warned) != 3 {
		t.Errorf("shortly before: %v, %v", err, warned)
	}
	err = checkExpiries(cfg, time.Now().Add(2*time.Hour), warn)
	if err == nil || strings.Count(err.Error(), "out of date") != 3 {
		t.Errorf("afterwards: %v", err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), env{append([]string{"config", "check"}, args...), nil, &out, &out}); code != 0 {
		t.Errorf("config check: %d %s", code, out.String())
	}
}
