package carrier

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// A sealed message is
//
//	magic 1, version 1, salt 16, counter 8, ciphertext
//
// The salt is drawn when a Sealer is made and the key is derived from it, so
// not even a process that runs from a copied data folder uses a key and a
// nonce twice.
const (
	magic        = 0xB1
	sealVersion  = 1
	saltSize     = 16
	headerSize   = 2 + saltSize + 8
	maxSealed    = 4 << 20 // larger messages are refused unread
	maxKnownKeys = 1024    // keys of other sealers that are kept
)

// Errors of Open.
var (
	// ErrForeign: not one of our messages, or of a version that we don't know.
	ErrForeign = errors.New("not a sealed message of a known version")

	// ErrForged: not sealed with this cluster's key and name, or damaged.
	ErrForged = errors.New("the seal is broken")
)

// Sealer seals and opens messages. It is safe for concurrent use.
type Sealer struct {
	secret  [32]byte
	cluster string
	salt    [saltSize]byte
	aead    cipher.AEAD
	counter atomic.Uint64

	mu    sync.Mutex
	known map[[saltSize]byte]cipher.AEAD // of salts that have sealed a good message
}

// NewSealer returns a Sealer for members of the named cluster.
func NewSealer(secret [32]byte, cluster string) (*Sealer, error) {
	s := &Sealer{secret: secret, cluster: cluster, known: make(map[[saltSize]byte]cipher.AEAD)}
	rand.Read(s.salt[:]) // never fails
	aead, err := s.derive(s.salt)
	if err != nil {
		return nil, err
	}
	s.aead = aead
	return s, nil
}

func deriveKey(secret, salt []byte, purpose string) (key [32]byte) {
	k, err := hkdf.Key(sha256.New, secret, salt, "rescind "+purpose, len(key))
	if err != nil {
		panic("carrier: " + err.Error()) // only for a length beyond HKDF's, or a secret that FIPS mode finds too short
	}
	return [32]byte(k)
}

func (s *Sealer) derive(salt [saltSize]byte) (cipher.AEAD, error) {
	key := deriveKey(s.secret[:], salt[:], "message of "+s.cluster)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("derive a message key: %w", err)
	}
	return cipher.NewGCM(block)
}

// Seal returns the sealed form of msg.
func (s *Sealer) Seal(msg []byte) []byte {
	out := make([]byte, 0, headerSize+len(msg)+s.aead.Overhead())
	out = append(out, magic, sealVersion)
	out = append(out, s.salt[:]...)
	out = binary.BigEndian.AppendUint64(out, s.counter.Add(1))
	return s.aead.Seal(out, nonce(out), msg, out)
}

// nonce returns the nonce for a message with the given header: its counter.
func nonce(header []byte) []byte {
	n := make([]byte, 12)
	copy(n[4:], header[2+saltSize:headerSize])
	return n
}

// Open returns the message in sealed. Its errors match ErrForeign or ErrForged.
func (s *Sealer) Open(sealed []byte) ([]byte, error) {
	if len(sealed) < headerSize || len(sealed) > maxSealed || sealed[0] != magic || sealed[1] != sealVersion {
		return nil, ErrForeign
	}
	header := sealed[:headerSize]
	salt := [saltSize]byte(header[2:])
	s.mu.Lock()
	aead := s.known[salt]
	s.mu.Unlock()
	fresh := aead == nil
	if fresh {
		var err error
		if aead, err = s.derive(salt); err != nil {
			return nil, err
		}
	}
	msg, err := aead.Open(nil, nonce(header), sealed[headerSize:], header)
	if err != nil {
		return nil, ErrForged
	}
	if fresh {
		s.keep(salt, aead)
	}
	return msg, nil
}

// keep remembers a key, once a message has proven that it belongs to a member:
// a flood of invented salts costs time, but no memory.
func (s *Sealer) keep(salt [saltSize]byte, aead cipher.AEAD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnownKeys {
		for old := range s.known {
			delete(s.known, old)
			break
		}
	}
	s.known[salt] = aead
}
