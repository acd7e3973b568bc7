package cluster

import (
	"errors"
	"fmt"

	"rescind/gossip/carrier"
)

// SetTransportKeys replaces Config.TransportKeys while the node runs: the first
// key seals, all open. Rotate in three steps, each on every node before the
// next: put the new key behind the old one, put it first, leave the old one
// out. Nothing is lost on the way. After an error the node may accept more keys
// than before, and refuses none that it accepted.
func (n *Node) SetTransportKeys(keys [][]byte) error {
	if len(n.cfg.Key) == 0 {
		return errors.New("cluster: the node has no key, and so nothing to rotate")
	}
	if len(keys) == 0 {
		keys = [][]byte{n.cfg.Key}
	}
	if err := CheckTransportKeys(keys); err != nil {
		return err
	}
	n.setKeys.Lock()
	defer n.setKeys.Unlock()
	if n.gossip != nil {
		if err := n.gossip.SetKeys(memberlistKeys(keys)); err != nil {
			return fmt.Errorf("cluster: set the transport keys: %w", err)
		}
	}
	if err := n.sealer.Set(sealKeys(keys)); err != nil {
		return fmt.Errorf("cluster: set the transport keys: %w", err)
	}
	return nil
}

// CheckTransportKeys returns what is wrong with keys, or nil.
func CheckTransportKeys(keys [][]byte) error {
	if len(keys) > carrier.MaxKeys {
		return fmt.Errorf("cluster: there are %d transport keys; use at most %d", len(keys), carrier.MaxKeys)
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if len(k) != 32 {
			return fmt.Errorf("cluster: a transport key has %d bytes; use 32 random ones", len(k))
		}
		if seen[string(k)] {
			return errors.New("cluster: a transport key is listed twice")
		}
		seen[string(k)] = true
	}
	return nil
}

// transportKeys returns the keys to start with.
func (c Config) transportKeys() [][]byte {
	if len(c.TransportKeys) > 0 {
		return c.TransportKeys
	}
	return [][]byte{c.secret()}
}

func sealKeys(keys [][]byte) (derived [][32]byte) {
	for _, k := range keys {
		derived = append(derived, carrier.DeriveKey(k, "seal"))
	}
	return derived
}

func memberlistKeys(keys [][]byte) (derived [][]byte) {
	for _, k := range keys {
		key := carrier.DeriveKey(k, "memberlist")
		derived = append(derived, key[:])
	}
	return derived
}
