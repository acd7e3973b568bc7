package token

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rescind/token/jwks"
)

func TestKeysSurviveAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := must(GenerateKeySet())
	for range 2 { // the second replaces the first
		if err := rotate(keys, 1); err != nil {
			t.Fatal(err)
		}
		if err := keys.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	if info := must(os.Stat(path)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if entries := must(os.ReadDir(filepath.Dir(path))); len(entries) != 1 {
		t.Errorf("files left behind: %v", entries)
	}
	loaded, err := LoadKeySet(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.pairs) != 2 || loaded.current().kid != keys.current().kid || !loaded.current().private.Equal(keys.current().private) {
		t.Error("other keys than were saved")
	}
	if a, b := must(keys.JWKS()), must(loaded.JWKS()); string(a) != string(b) {
		t.Errorf("published %s; want %s", b, a)
	}
}

func TestPublishedKeysArePublic(t *testing.T) {
	keys := must(GenerateKeySet())
	published := must(keys.JWKS())
	if strings.Contains(string(published), `"d"`) {
		t.Fatal("a private key is published")
	}
	set, err := jwks.Parse(published, false)
	if err != nil {
		t.Fatal(err)
	}
	if k := set.ByKID(keys.current().kid); k == nil || k.Algorithm != "ES256" {
		t.Errorf("published %s", published)
	}
}

// A key that is loaded again must keep its name without storing it.
func TestThumbprintIsTheKeyID(t *testing.T) {
	a, b := must(newSigningKey(testECKey())), must(newSigningKey(testECKey()))
	if a.kid != b.kid || len(a.kid) != 43 {
		t.Errorf("kids %q and %q", a.kid, b.kid)
	}
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	private := func(change func(*jwks.JWK)) []byte { return jwksOf(jwk(testECKey(), "k", change)) }
	other := jwk(must(GenerateKeySet()).current().private, "k", nil)
	for name, c := range map[string]struct {
		content []byte
		mode    os.FileMode
		want    string
	}{
		"readable by all": {private(nil), 0o644, "mode"},
		"public key":      {jwksOf(jwk(&testECKey().PublicKey, "k", nil)), 0o600, "not a private ES256 key"},
		"RSA":             {jwksOf(jwk(testRSAKey(), "k", nil)), 0o600, "not a private ES256 key"},
		"empty":           {[]byte(`{"keys":[]}`), 0o600, "0 keys"},
		"garbage":         {[]byte(`{`), 0o600, "not a JWK Set"},
		"halves differ":   {private(func(m *jwks.JWK) { m.X, m.Y = other.X, other.Y }), 0o600, "does not belong"},
		"d out of range":  {private(func(m *jwks.JWK) { m.D = strings.Repeat("_", 43) }), 0o600, "does not belong"},
		"same kid twice":  {jwksOf(jwk(testECKey(), "k", nil), other), 0o600, "same kid"},
		"kid too long":    {private(func(m *jwks.JWK) { m.KeyID = strings.Repeat("k", 129) }), 0o600, "kid"},
		"too large":       {make([]byte, jwks.MaxBytes+1), 0o600, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			if err := os.WriteFile(path, c.content, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadKeySet(path)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not mention %q", err, c.want)
			}
		})
	}
	if _, err := LoadKeySet(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file was loaded")
	}
	if err := must(GenerateKeySet()).Save(filepath.Join(t.TempDir(), "no", "folder")); err == nil {
		t.Error("saved into a missing folder")
	}
}

func TestKeysFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := hsIssuer()
	c.HS256Secret, c.HS256SecretFile = nil, write("secret", []byte(testSecret+"\r\n"))
	_, err := newVerifier(t, nil, nil, c).Verify(signHS(hsHeader, payload("")))
	wantError(t, err, nil)

	c = jwksIssuer(nil, "ES256")
	c.JWKSFile = write("jwks", jwksOf(jwk(&testECKey().PublicKey, "k", nil)))
	_, err = newVerifier(t, nil, nil, c).Verify(sign(t, "ES256", testECKey(), `{"alg":"ES256"}`, payload("")))
	wantError(t, err, nil)

	if got := jwks.TrimNewline([]byte("\x00\x01\n")); len(got) != 3 {
		t.Error("a line break was cut from random bytes")
	}
}
