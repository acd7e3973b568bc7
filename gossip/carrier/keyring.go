package carrier

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// keyring returns memberlist's ring of keys, or nil if there are none. The first
// encrypts, all decrypt.
func keyring(keys [][]byte) (*memberlist.Keyring, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	return memberlist.NewKeyring(keys, keys[0])
}

// pathKeys derives the keys of path checks. Without keys nothing leaves this host,
// and one that everybody knows will do.
func pathKeys(keys [][]byte) [][32]byte {
	if len(keys) == 0 {
		return [][32]byte{DeriveKey([]byte("rescind without a key, on loopback only"), "path check")}
	}
	derived := make([][32]byte, len(keys))
	for i, key := range keys {
		derived[i] = DeriveKey(key, "path check")
	}
	return derived
}

// SetKeys replaces the keys while the carrier runs, see Ring. It fails if the
// carrier was started without.
func (m *Memberlist) SetKeys(keys [][]byte) error {
	if m.keys == nil {
		return errors.New("gossip: it was started without a key")
	}
	if err := checkKeys(keys); err != nil || len(keys) == 0 {
		return errors.Join(err, errors.New("gossip: use 1 to 4 keys"))
	}
	m.setKeys.Lock()
	defer m.setKeys.Unlock()
	if err := m.paths.ring.Set(pathKeys(keys)); err != nil {
		return fmt.Errorf("gossip: keys of path checks: %w", err)
	}
	for _, key := range keys {
		if err := m.keys.AddKey(key); err != nil {
			return fmt.Errorf("gossip: install a key: %w", err)
		}
	}
	if err := m.keys.UseKey(keys[0]); err != nil {
		return fmt.Errorf("gossip: use a key: %w", err)
	}
	// From the end, because memberlist moves what is behind a removed key within
	// the list that it is decrypting by.
	for _, old := range slices.Backward(slices.Clone(m.keys.GetKeys())) {
		if !slices.ContainsFunc(keys, func(key []byte) bool { return bytes.Equal(key, old) }) {
			if err := m.keys.RemoveKey(old); err != nil {
				return fmt.Errorf("gossip: remove a key: %w", err)
			}
		}
	}
	return nil
}

func checkKeys(keys [][]byte) error {
	if len(keys) > MaxKeys {
		return fmt.Errorf("there are %d keys; use at most %d", len(keys), MaxKeys)
	}
	for _, key := range keys {
		if len(key) != 32 {
			return fmt.Errorf("a key has %d bytes; use 32, or no key on loopback", len(key))
		}
	}
	return nil
}
