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
	"sync/atomic"
)

// A sealed message is
//
//	magic 1 | version 1 | salt 16 | counter 8 | ciphertext | tag 16
//
// The first 26 bytes are authenticated with the ciphertext. The cluster's name
// is bound by way of the key. The nonce is the counter, big-endian, after four
// zero bytes.
const (
	sealMagic   = 'R'
	sealVersion = 1

	saltSize    = 16
	counterAt   = 2 + saltSize
	headerSize  = counterAt + 8
	nonceOffset = 4

	// Overhead is by how many bytes a sealed message is longer than its
	// content.
	Overhead = headerSize + 16

	// MaxContent bounds what Seal takes, in bytes: sealed, it is MaxMessage.
	MaxContent = MaxMessage - Overhead
)

// Why a message does not open. The errors of Open are these or wrap them.
var (
	// ErrForeignVersion: no sealed message, or one of a version unknown here.
	ErrForeignVersion = errors.New("not sealed, or in a form unknown to this version")

	// ErrTruncated: too short to be a sealed message.
	ErrTruncated = errors.New("sealed message is too short")

	// ErrTooLarge: longer than MaxMessage.
	ErrTooLarge = fmt.Errorf("sealed message is longer than %d bytes", MaxMessage)

	// ErrForged: not authentic. It was sealed with another key or for another
	// cluster, or changed or cut on its way; these can't be told apart.
	ErrForged = errors.New("sealed message is not authentic: another key, another cluster, or damaged")
)

// Sealer encrypts and authenticates messages; see the package documentation
// for what that promises. It is safe for concurrent use.
type Sealer struct {
	key     [32]byte
	cluster string

	// own and salt seal; no nonce is used twice because counter only grows and
	// the salt is drawn anew for each Sealer.
	own     cipher.AEAD
	salt    [saltSize]byte
	counter atomic.Uint64

	known knownSalts
}

// NewSealer returns a Sealer for the named cluster. Two Sealers open each
// other's messages if key and cluster are equal. It fails if cluster is empty
// or longer than 64 bytes.
func NewSealer(key [32]byte, cluster string) (*Sealer, error) {
	if cluster == "" || len(cluster) > maxCluster {
		return nil, fmt.Errorf("seal for cluster %.64q: its name must have 1 to %d bytes", cluster, maxCluster)
	}
	s := &Sealer{key: key, cluster: cluster}
	rand.Read(s.salt[:]) // never fails: the runtime ends the process instead
	var err error
	if s.own, err = s.derive(s.salt); err != nil {
		return nil, err
	}
	return s, nil
}

// derive returns the cipher for messages that were sealed with salt.
func (s *Sealer) derive(salt [saltSize]byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.key[:], salt[:], "rescind seal 1 "+s.cluster, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive a sealing key: %w", err)
	}
	return cipher.NewGCM(block)
}

// Seal returns msg sealed, in a new slice. It returns nil, which carriers drop
// and count, if msg is longer than MaxContent.
func (s *Sealer) Seal(msg []byte) []byte {
	if len(msg) > MaxContent {
		return nil
	}
	out := make([]byte, headerSize, headerSize+len(msg)+16)
	out[0], out[1] = sealMagic, sealVersion
	copy(out[2:], s.salt[:])
	binary.BigEndian.PutUint64(out[counterAt:], s.counter.Add(1))
	var nonce [12]byte
	copy(nonce[nonceOffset:], out[counterAt:headerSize])
	return s.own.Seal(out, nonce[:], msg, out[:headerSize]) // #nosec G407 -- the nonce is a counter, and the key is this process's own
}

// Open returns the content of a sealed message, in a new slice. The error is
// ErrForeignVersion, ErrTruncated, ErrTooLarge or ErrForged, or wraps one. The
// cheap checks come first; an unknown salt costs a key derivation, some two
// microseconds, and is remembered only after it has proved authentic.
func (s *Sealer) Open(sealed []byte) ([]byte, error) {
	switch {
	case len(sealed) > 0 && sealed[0] != sealMagic, len(sealed) > 1 && sealed[1] != sealVersion:
		return nil, ErrForeignVersion
	case len(sealed) < Overhead:
		return nil, ErrTruncated
	case len(sealed) > MaxMessage:
		return nil, ErrTooLarge
	}
	salt := [saltSize]byte(sealed[2:counterAt])
	aead, known := s.known.get(salt)
	if !known {
		var err error
		if aead, err = s.derive(salt); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrForged, err)
		}
	}
	var nonce [12]byte
	copy(nonce[nonceOffset:], sealed[counterAt:headerSize])
	msg, err := aead.Open(nil, nonce[:], sealed[headerSize:], sealed[:headerSize])
	if err != nil {
		return nil, ErrForged
	}
	if !known {
		s.known.add(salt, aead)
	}
	return msg, nil
}

// DeriveKey returns the key for one purpose, by HKDF-SHA256, so that no two
// uses of the cluster's secret share a key. secret must be as hard to guess as
// a key: nothing here stretches a password.
func DeriveKey(secret []byte, purpose string) [32]byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "rescind key 1 "+purpose, 32)
	if err != nil { // a length beyond HKDF's, or FIPS mode and a secret below 14 bytes
		panic("carrier: derive a key: " + err.Error())
	}
	return [32]byte(key)
}
