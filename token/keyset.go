package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/MicahParks/jwkset"
	"github.com/go-json-experiment/json"
)

// KeySet holds the ES256 keys of an Issuer: the first signs, all verify. It is
// safe for concurrent use.
type KeySet struct {
	// mu guards pairs; public is derived from it, for readers that don't wait.
	mu     sync.Mutex
	pairs  []*signingKey // newest first, never empty
	public atomic.Pointer[keySet]
}

type signingKey struct {
	kid     string // the RFC 7638 thumbprint, or what the file says
	private *ecdsa.PrivateKey
	secret  []byte // derived from private, for successorID
}

// successorID returns the jti of the token of type typ that replaces the refresh
// token called id: 130 bits that only who has the key can compute, the same on
// every node that has it.
func (k *signingKey) successorID(typ, id string) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(typ + "\x00" + id)) // typ is a constant without NUL
	return base32.StdEncoding.EncodeToString(mac.Sum(nil))[:26]
}

// GenerateKeySet returns a set with one new key.
func GenerateKeySet() (*KeySet, error) {
	s := new(KeySet)
	if err := s.Rotate(0); err != nil {
		return nil, err
	}
	return s, nil
}

// Rotate makes a new key that signs from now on and keeps the newest keep of
// the others for verifying. Nobody is logged out by a key that is kept; one that
// is dropped ends every token that it signed. Verifiers elsewhere learn of the
// new key when they first see it used.
func (s *KeySet) Rotate(keep int) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("token: generating an ES256 key: %w", err)
	}
	k, err := newSigningKey(private)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.pairs[:min(max(keep, 0), len(s.pairs), maxJWKSKeys-1)]
	return s.replaceLocked(append([]*signingKey{k}, old...))
}

// replaceLocked makes pairs the keys of s.
func (s *KeySet) replaceLocked(pairs []*signingKey) error {
	keys := make([]*verifyKey, len(pairs))
	for i, k := range pairs {
		keys[i] = &verifyKey{kid: k.kid, alg: "ES256", kty: "EC", curve: "P-256", key: &k.private.PublicKey}
	}
	set, err := newKeySet(keys)
	if err != nil {
		return fmt.Errorf("token: key set: %w", err)
	}
	s.pairs = pairs
	s.public.Store(set)
	return nil
}

// signer returns the key that signs now.
func (s *KeySet) signer() *signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pairs[0]
}

// named returns the key called kid, or nil.
func (s *KeySet) named(kid string) *signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.pairs {
		if k.kid == kid {
			return k
		}
	}
	return nil
}

// JWKS returns the public keys as a JWK Set, for /.well-known/jwks.json.
func (s *KeySet) JWKS() ([]byte, error) { return s.marshal(false) }

// marshal writes the keys as a JWK Set, with their private part if private.
func (s *KeySet) marshal(private bool) ([]byte, error) {
	s.mu.Lock()
	pairs := s.pairs
	s.mu.Unlock()
	var doc jwkset.JWKSMarshal
	for _, k := range pairs {
		jwk, err := k.jwk(private)
		if err != nil {
			return nil, err
		}
		doc.Keys = append(doc.Keys, jwk)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("token: writing a JWK Set: %w", err)
	}
	return b, nil
}

func newSigningKey(private *ecdsa.PrivateKey) (*signingKey, error) {
	k := &signingKey{private: private}
	m, err := k.jwk(false)
	if err != nil {
		return nil, err
	}
	if k.secret, err = derive(private); err != nil {
		return nil, err
	}
	// RFC 7638 section 3: the required members in lexical order, no spaces.
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + m.X + `","y":"` + m.Y + `"}`))
	k.kid = base64.RawURLEncoding.EncodeToString(sum[:])
	return k, nil
}

// derive returns a secret for successorID (HKDF, RFC 5869), so that one key is
// not used for two purposes.
func derive(private *ecdsa.PrivateKey) ([]byte, error) {
	b, err := private.Bytes()
	if err == nil {
		b, err = hkdf.Key(sha256.New, b, nil, "rescind refresh successor", sha256.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("token: deriving a secret from an ES256 key: %w", err)
	}
	return b, nil
}

func (k *signingKey) jwk(private bool) (jwkset.JWKMarshal, error) {
	var key any = &k.private.PublicKey
	if private {
		key = k.private
	}
	jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{
		Marshal:  jwkset.JWKMarshalOptions{Private: private},
		Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.AlgES256, KID: k.kid, USE: jwkset.UseSig},
	})
	if err != nil {
		return jwkset.JWKMarshal{}, fmt.Errorf("token: converting a key to a JWK: %w", err)
	}
	return jwk.Marshal(), nil
}
