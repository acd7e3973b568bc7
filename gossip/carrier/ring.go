package carrier

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// MaxKeys bounds a ring: what is to come, what is in use, and what is on its way
// out. A message that no key opens costs a derivation for each.
const MaxKeys = 4

// Ring seals with the first of several keys and opens with any of them, so that
// a key can be replaced while messages under the old one are still on their
// way. It is safe for concurrent use.
//
// To rotate: install the new key behind the old one on every member; then put
// it first on every member; then leave the old one out. Members that are a step
// apart understand each other.
type Ring struct {
	cluster string
	mu      sync.Mutex // orders Set
	sealers atomic.Pointer[[]*Sealer]
}

// NewRing returns a ring for the named cluster; see Set for the keys.
func NewRing(cluster string, keys [][32]byte) (*Ring, error) {
	r := &Ring{cluster: cluster}
	r.sealers.Store(new([]*Sealer))
	return r, r.Set(keys)
}

// Set replaces the keys, 1 to MaxKeys different ones. After an error the ring is
// as it was.
func (r *Ring) Set(keys [][32]byte) error {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return fmt.Errorf("a ring of %d keys; use 1 to %d", len(keys), MaxKeys)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make([]*Sealer, 0, len(keys))
	for _, key := range keys {
		if find(next, key) != nil {
			return errors.New("a key is twice in the ring")
		}
		s := find(*r.sealers.Load(), key) // it knows the salts of the others
		if s == nil {
			var err error
			if s, err = NewSealer(key, r.cluster); err != nil {
				return err
			}
		}
		next = append(next, s)
	}
	r.sealers.Store(&next)
	return nil
}

func find(sealers []*Sealer, key [32]byte) *Sealer {
	for _, s := range sealers {
		if bytes.Equal(s.key[:], key[:]) {
			return s
		}
	}
	return nil
}

// Seal is Sealer.Seal with the first key.
func (r *Ring) Seal(msg []byte) []byte { return (*r.sealers.Load())[0].Seal(msg) }

// Open is Sealer.Open with whichever key fits.
func (r *Ring) Open(sealed []byte) (msg []byte, err error) {
	for _, s := range *r.sealers.Load() {
		if msg, err = s.Open(sealed); !errors.Is(err, ErrForged) {
			return msg, err
		}
	}
	return nil, err
}
