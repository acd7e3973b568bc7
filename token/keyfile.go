package token

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"

	"rescind"
	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// LoadKeySet reads a file written by Save: a JWK Set of private ES256 keys with
// the times from which each signs; without times the first signs. A file that
// others than its owner and group can read, or that its group can write, is
// refused.
func LoadKeySet(path string) (*KeySet, error) {
	s := new(KeySet)
	return s, s.Reload(path)
}

// Reload replaces the keys by those in the file at path, see LoadKeySet. On an
// error they stay as they were. Tokens of keys that are gone end; those of the
// others are not touched.
func (s *KeySet) Reload(path string) error {
	pairs, err := readPrivateKeys(path)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replaceLocked(pairs)
}

func readPrivateKeys(path string) ([]*signingKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("token: key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("token: key file %s has mode %04o; private keys need 0600", path, mode)
	}
	raw, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("token: key file: %w", err)
	}
	pairs, err := parsePrivateKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("token: key file %s: %w", path, err)
	}
	return pairs, nil
}

// parsePrivateKeys reads a JWK Set of private ES256 keys. Its errors repeat
// nothing of raw.
func parsePrivateKeys(raw []byte) ([]*signingKey, error) {
	var doc struct {
		Keys []fileKey `json:"keys"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, errors.New("not a JWK Set")
	}
	if len(doc.Keys) == 0 || len(doc.Keys) > jwks.MaxKeys {
		return nil, fmt.Errorf("has %d keys; 1 to %d are allowed", len(doc.Keys), jwks.MaxKeys)
	}
	pairs := make([]*signingKey, len(doc.Keys))
	for i, m := range doc.Keys {
		k, err := parsePrivateKey(m.JWK)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if m.From < 0 || m.Until < 0 || m.Until != 0 && m.Until < m.From {
			return nil, fmt.Errorf("key %d: its nbf and exp are no times in order", i+1)
		}
		k.from, k.until = rescind.Millis(m.From), rescind.Millis(m.Until)
		pairs[i] = k
	}
	return pairs, nil
}

func parsePrivateKey(m jwks.JWK) (*signingKey, error) {
	if m.Type != jwks.TypeEC || m.Curve != "P-256" || m.D == "" {
		return nil, errors.New("not a private ES256 key (kty EC, crv P-256, with d)")
	}
	key, err := m.Private()
	if err != nil {
		return nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("not a private ES256 key")
	}
	if !matches(private) {
		return nil, errors.New("the public part does not belong to the private part")
	}
	k, err := newSigningKey(private)
	if err == nil && m.KeyID != "" {
		if len(m.KeyID) > strict.MaxKeyIDLen {
			return nil, fmt.Errorf("its kid is longer than %d bytes", strict.MaxKeyIDLen)
		}
		k.kid = m.KeyID // tokens out there name it
	}
	return k, err
}

// matches reports whether the halves of a key belong together: go-jose does not
// look, and a key whose own tokens don't verify logs everybody out.
func matches(private *ecdsa.PrivateKey) bool {
	b, err := private.Bytes()
	if err != nil {
		return false
	}
	own, err := ecdsa.ParseRawPrivateKey(private.Curve, b)
	return err == nil && own.PublicKey.Equal(&private.PublicKey)
}

// Save writes the keys, private parts included, to path with mode 0600. The
// file is replaced as a whole and durably, or left as it was.
func (s *KeySet) Save(path string) error {
	b, err := s.marshal(true)
	if err != nil {
		return err
	}
	if err := replaceFile(path, append(b, '\n')); err != nil {
		return fmt.Errorf("token: saving keys: %w", err)
	}
	return nil
}

func replaceFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".keys-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in dir survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
