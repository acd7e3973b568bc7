package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"rescind"
	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// SignerKey is a signing key that stays where it is, in a KMS or an HSM.
type SignerKey struct {
	// Signer signs SHA-256 digests with a P-256 key and returns ASN.1, as
	// crypto.Signer says. It is called concurrently, by every login and refresh.
	Signer crypto.Signer

	// KeyID is the kid. Empty means the key's RFC 7638 thumbprint.
	KeyID string

	// From is when it begins to sign. Zero: it always did. The latest that has
	// begun signs, the others verify.
	From time.Time
}

// NewKeySet returns a set of keys that it does not hold. secret names the
// successors of refresh tokens, which for keys at hand is derived from them: at
// least 32 random bytes, the same on every node and for as long as a refresh
// token lives. To rotate, call SetKeys with the next key added. Save refuses such
// a set. Unlike with keys at hand, a retry of Refresh gets tokens with the same
// jti but another signature.
func NewKeySet(secret []byte, keys ...SignerKey) (*KeySet, error) {
	s := new(KeySet)
	return s, s.SetKeys(secret, keys...)
}

// SetKeys replaces the keys; see NewKeySet. On an error they stay as they were.
func (s *KeySet) SetKeys(secret []byte, keys ...SignerKey) error {
	if len(secret) < sha256.Size {
		return fmt.Errorf("token: the secret of a KeySet has %d bytes; use at least %d random ones", len(secret), sha256.Size)
	}
	if len(keys) == 0 || len(keys) > jwks.MaxKeys {
		return fmt.Errorf("token: a KeySet of %d keys; 1 to %d are allowed", len(keys), jwks.MaxKeys)
	}
	pairs := make([]*signingKey, len(keys))
	for i, k := range keys {
		pair, err := k.signingKey(secret)
		if err != nil {
			return fmt.Errorf("token: key %d: %w", i+1, err)
		}
		pairs[i] = pair
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replaceLocked(pairs)
}

func (k SignerKey) signingKey(secret []byte) (*signingKey, error) {
	if k.Signer == nil {
		return nil, errors.New("it has no Signer")
	}
	public, ok := k.Signer.Public().(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("not a P-256 key; tokens are signed with ES256")
	}
	if len(k.KeyID) > strict.MaxKeyIDLen {
		return nil, fmt.Errorf("its KeyID is longer than %d bytes", strict.MaxKeyIDLen)
	}
	derived, err := hkdf.Key(sha256.New, secret, nil, "rescind refresh successor", sha256.Size)
	if err != nil {
		return nil, err
	}
	pair := &signingKey{public: public, signer: k.Signer, secret: derived}
	if !k.From.IsZero() {
		pair.from = rescind.MillisOf(k.From)
	}
	if err := pair.nameIt(); err != nil {
		return nil, err
	}
	if k.KeyID != "" {
		pair.kid = k.KeyID
	}
	return pair, nil
}

// RevokeKey revokes every token that the key called kid has signed or will sign,
// on every node, because it has leaked. If it signs here, Drop it first: logins
// would fail with ErrRevoked. Durable like Logout. Safe for concurrent use.
func (i *Issuer) RevokeKey(ctx context.Context, kid string) error {
	r := rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeKID, Issuer: i.config.Issuer, ID: kid}}
	if err := i.revoke(ctx, r); err != nil {
		return fmt.Errorf("token: revoking a key: %w", err)
	}
	return nil
}
