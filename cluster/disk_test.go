package cluster

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rescind"
)

// TestDiskTellsNoIdentifier: whoever steals the disk finds digests and no names,
// neither of issuers nor of what was revoked.
func TestDiskTellsNoIdentifier(t *testing.T) {
	dir := t.TempDir()
	n := alone(t, func(c *Config) { c.DataDir = dir })
	const secret, issuer = "canary-identifier-of-a-person", "https://canary-issuer.example"
	for _, scope := range rescind.Scopes() {
		key := rescind.Key{Scope: scope, Issuer: issuer, ID: secret}
		if scope == rescind.ScopeIss {
			key.ID = issuer
		}
		if _, err := n.Revoke(t.Context(), rescind.Revocation{Key: key, ExpiresAt: time.Now().Add(time.Hour)}, rescind.AckLocal); err != nil {
			t.Fatal(err)
		}
	}
	look := func() (size int) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if bytes.Contains(content, []byte("canary")) {
				t.Errorf("%s holds an identifier", filepath.Base(path))
			}
			size += len(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return size
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if size := look(); size == 0 {
		t.Error("nothing was looked at")
	}
}
