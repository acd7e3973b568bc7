package token

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// LoadDecryptionKeys reads a file with a JWK Set of private keys for
// IssuerConfig.DecryptionKeys. Each has an alg, dir, RSA-OAEP-256 or ECDH-ES, and
// beside the members of RFC 7517 an enc, A128GCM, A192GCM or A256GCM. The file
// must be private like that of LoadKeySet. Errors repeat nothing of it.
func LoadDecryptionKeys(path string) ([]DecryptionKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("token: decryption keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("token: decryption keys: %s has mode %04o; private keys need 0600", path, mode)
	}
	raw, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("token: decryption keys: %w", err)
	}
	entries, err := jwks.Split(raw)
	if err != nil || len(entries) == 0 || len(entries) > jwks.MaxKeys {
		return nil, fmt.Errorf("token: decryption keys: %s is no JWK Set of 1 to %d keys", path, jwks.MaxKeys)
	}
	keys := make([]DecryptionKey, len(entries))
	for i, entry := range entries {
		if keys[i], err = parseDecryptionKey(entry); err != nil {
			return nil, fmt.Errorf("token: decryption keys: %s: key %d: %w", path, i+1, err)
		}
	}
	return keys, nil
}

func parseDecryptionKey(raw jsontext.Value) (DecryptionKey, error) {
	var m struct {
		jwks.JWK
		Encryption string `json:"enc"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return DecryptionKey{}, errors.New("it is no JWK with an enc")
	}
	if err := checkDecrypts(m.JWK); err != nil {
		return DecryptionKey{}, err
	}
	k := DecryptionKey{KeyID: m.KeyID, Algorithm: m.Algorithm, Encryption: m.Encryption}
	if m.Type == jwks.TypeSymmetric {
		secret, ok := strict.DecodeSegment(m.K)
		if !ok {
			return k, errors.New("its k is not canonical base64url")
		}
		k.Key = secret
		return k, k.validate()
	}
	key, err := m.Private()
	if err != nil {
		return k, err
	}
	k.Key = key
	return k, k.validate()
}

// checkDecrypts refuses keys that are for something else (RFC 7517 sections 4.2
// and 4.3).
func checkDecrypts(m jwks.JWK) error {
	decrypts := func(op string) bool {
		return slices.Contains([]string{"decrypt", "unwrapKey", "deriveKey", "deriveBits"}, op)
	}
	switch {
	case m.Use != "" && m.Use != jwks.UseEncryption:
		return errors.New("its use is not enc")
	case len(m.Operations) > 0 && !slices.ContainsFunc(m.Operations, decrypts):
		return errors.New("its key_ops lack decrypt, unwrapKey, deriveKey and deriveBits")
	}
	return nil
}
