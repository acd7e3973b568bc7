package token

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

func decryptionJWK(key any, alg, enc string) string {
	m := jwk(key, "d-"+alg, nil)
	m.Algorithm = alg
	s := string(must(json.Marshal(m)))
	return strings.TrimSuffix(s, "}") + `,"enc":"` + enc + `"}`
}

func TestDecryptionKeysFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decryption.jwks")
	write := func(mode os.FileMode, keys ...string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(`{"keys":[`+strings.Join(keys, ",")+`]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	secret := []byte("0123456789abcdefghijklmnopqrstuv")
	write(0o600, decryptionJWK(testECKey(), "ECDH-ES", "A128GCM"), decryptionJWK(testRSAKey(), "RSA-OAEP-256", "A256GCM"), decryptionJWK(secret, "dir", "A256GCM"))
	keys, err := LoadDecryptionKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 3 || keys[0].KeyID != "d-ECDH-ES" || keys[1].Encryption != "A256GCM" || string(keys[2].Key.([]byte)) != string(secret) {
		t.Errorf("%+v", keys)
	}
	v := newVerifier(t, nil, nil, withKeys(keys...))
	if len(v.trust.Load().decryption) != 3 {
		t.Error("the verifier does not take them")
	}
	for name, keys := range map[string][]string{
		"public only":  {decryptionJWK(&testECKey().PublicKey, "ECDH-ES", "A128GCM")},
		"short secret": {decryptionJWK(secret[:31], "dir", "A256GCM")},
		"password":     {decryptionJWK(secret, "PBES2-HS256+A128KW", "A256GCM")},
		"no enc":       {decryptionJWK(secret, "dir", "")},
		"to sign":      {strings.Replace(decryptionJWK(secret, "dir", "A256GCM"), "{", `{"use":"sig",`, 1)},
		"to verify":    {strings.Replace(decryptionJWK(secret, "dir", "A256GCM"), "{", `{"key_ops":["verify"],`, 1)},
		"none":         {},
		"padded":       {strings.Replace(decryptionJWK(secret, "dir", "A256GCM"), `"k":"`, `"k":"=`, 1)},
	} {
		write(0o600, keys...)
		if _, err := LoadDecryptionKeys(path); err == nil || strings.Contains(err.Error(), b64(secret)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(0o644, decryptionJWK(secret, "dir", "A256GCM"))
	if _, err := LoadDecryptionKeys(path); err == nil {
		t.Error("a file that everybody can read is accepted")
	}
}
