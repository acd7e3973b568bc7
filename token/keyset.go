package token

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"rescind"
	"rescind/token/jwks"
)

// KeySet holds the ES256 keys of an Issuer: one signs, all verify. Which one
// signs follows from the clock, so that nodes with the same keys change over at
// the same moment. It is safe for concurrent use.
type KeySet struct {
	// mu guards pairs; public is derived from it, for readers that don't wait.
	mu     sync.Mutex
	pairs  []*signingKey // the latest to sign first; never empty, and never changed in place
	public atomic.Pointer[jwks.Set]
}

// signingKey is immutable.
type signingKey struct {
	kid     string // the RFC 7638 thumbprint, or what the file says
	public  *ecdsa.PublicKey
	signer  crypto.Signer
	private *ecdsa.PrivateKey // nil where the key stays in a KMS or an HSM
	secret  []byte            // for successorID

	from  rescind.Millis // when it begins to sign
	until rescind.Millis // when its last token has expired; 0: it has no successor yet
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
	k, err := generateKey(0)
	if err != nil {
		return nil, err
	}
	s := new(KeySet)
	return s, s.replaceLocked([]*signingKey{k}) // nobody else has s yet
}

func generateKey(from rescind.Millis) (*signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("token: generating an ES256 key: %w", err)
	}
	k, err := newSigningKey(private)
	if err != nil {
		return nil, err
	}
	k.from = from
	return k, nil
}

// replaceLocked makes pairs the keys of s. If none of them is new or gone, what
// was verified before stays so.
func (s *KeySet) replaceLocked(pairs []*signingKey) error {
	pairs = slices.Clone(pairs)
	slices.SortStableFunc(pairs, func(a, b *signingKey) int { return cmp.Compare(b.from, a.from) })
	keys := make([]*jwks.Key, len(pairs))
	for i, k := range pairs {
		keys[i] = &jwks.Key{KeyID: k.kid, Algorithm: "ES256", Type: "EC", Curve: "P-256", Public: k.public}
	}
	set, err := jwks.NewSet(keys)
	if err != nil {
		return fmt.Errorf("token: key set: %w", err)
	}
	s.pairs = pairs
	if old := s.public.Load(); old == nil || !old.Equal(set) {
		s.public.Store(set)
	}
	return nil
}

// signer returns the key that signs at now.
func (s *KeySet) signer(now rescind.Millis) *signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return signerOf(s.pairs, now)
}

func signerOf(pairs []*signingKey, now rescind.Millis) *signingKey {
	for _, k := range pairs {
		if k.from <= now {
			return k
		}
	}
	return pairs[len(pairs)-1] // a clock that is behind: the oldest is what verifiers know
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

// fileKey is a key as it stands in a file: a JWK, and when it signs and is
// dropped, named like the same times in a token.
type fileKey struct {
	jwks.JWK
	From  int64 `json:"nbf,omitzero"` // in milliseconds
	Until int64 `json:"exp,omitzero"`
}

// marshal writes the keys as a JWK Set, with their private part and their times
// if private.
func (s *KeySet) marshal(private bool) ([]byte, error) {
	s.mu.Lock()
	pairs := s.pairs
	s.mu.Unlock()
	var doc struct {
		Keys []fileKey `json:"keys"`
	}
	for _, k := range pairs {
		if private && k.private == nil {
			return nil, errors.New("token: a key that stays in a KMS or an HSM can't be saved")
		}
		jwk, err := k.jwk(private)
		if err != nil {
			return nil, err
		}
		f := fileKey{JWK: jwk}
		if private {
			f.From, f.Until = int64(k.from), int64(k.until)
		}
		doc.Keys = append(doc.Keys, f)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("token: writing a JWK Set: %w", err)
	}
	return b, nil
}

func newSigningKey(private *ecdsa.PrivateKey) (*signingKey, error) {
	secret, err := derive(private)
	if err != nil {
		return nil, err
	}
	k := &signingKey{private: private, signer: private, public: &private.PublicKey, secret: secret}
	return k, k.nameIt()
}

// nameIt makes the thumbprint the kid (RFC 7638 section 3): the required members in
// lexical order, no spaces.
func (k *signingKey) nameIt() error {
	m, err := k.jwk(false)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + m.X + `","y":"` + m.Y + `"}`))
	k.kid = base64.RawURLEncoding.EncodeToString(sum[:])
	return nil
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

func (k *signingKey) jwk(private bool) (jwks.JWK, error) {
	var key any = k.public
	if private {
		key = k.private
	}
	jwk, err := jwks.Of(key, k.kid)
	if err != nil {
		return jwks.JWK{}, fmt.Errorf("token: %w", err)
	}
	jwk.Algorithm, jwk.Use = "ES256", jwks.UseSignature
	return jwk, nil
}
