package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rescind/cmd/node/config"
	"rescind/token"
)

// TestReissue adds an issuer and takes the first away, as SIGHUP does.
func TestReissue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if code, _, problem := keysCommand(t, "generate", "--dir", dir); code != exitOK {
		t.Fatal(problem)
	}
	_, raw, _ := keysCommand(t, "token", "--dir", dir, "--user", "ada")
	raw = strings.TrimSpace(raw)
	list := filepath.Join(dir, "issuers.yaml")
	e := env{args: []string{"--tokens.issuers=" + list}, stderr: new(bytes.Buffer)}
	cfg, err := loadConfig(e)
	if err != nil {
		t.Fatal(err)
	}
	v := verifierOf(t, cfg)
	if _, err := v.Verify(raw); err != nil {
		t.Fatal(err)
	}
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(list, "- nonsense: true\n")
	if err := reissue(e, v); err == nil {
		t.Error("a broken list is accepted")
	}
	if _, err := v.Verify(raw); err != nil {
		t.Errorf("after a broken list: %v", err)
	}
	secret, decrypt := filepath.Join(dir, "secret"), filepath.Join(dir, "decryption.jwks")
	write(secret, rand.Text()+rand.Text())
	k := make([]byte, 32)
	rand.Read(k)
	write(decrypt, fmt.Sprintf(`{"keys":[{"kty":"oct","alg":"dir","enc":"A256GCM","k":%q}]}`, base64.RawURLEncoding.EncodeToString(k)))
	write(list, fmt.Sprintf("- issuer: https://other.example\n  hs256-secret-file: %s\n  decryption-keys-file: %s\n", secret, decrypt))
	if err := reissue(e, v); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(raw); err == nil {
		t.Error("the issuer that was taken away is still trusted")
	}
	write(decrypt, "{}")
	if err := reissue(e, v); err == nil || !strings.Contains(err.Error(), "decryption-keys-file") {
		t.Errorf("broken decryption keys: %v", err)
	}
}

func verifierOf(t *testing.T, cfg *config.Config) *token.Verifier {
	t.Helper()
	issuers, err := issuerConfigs(cfg)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(context.Background(), token.VerifierConfig{
		Issuers: issuers, Checker: unconnected{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}
