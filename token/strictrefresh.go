package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"rescind"
)

// claim asks StrictRefresh, if there is one, whether v may be used up here. The
// caller has acquired v.
func (i *Issuer) claim(ctx context.Context, v *Verified) error {
	if i.config.StrictRefresh == nil || i.hasClaimed(v) {
		return nil
	}
	err := i.config.StrictRefresh.Consume(ctx, rescind.Token{
		Issuer: v.Token.Issuer, ID: claimID(v.Token.ID), IssuedAt: v.Token.IssuedAt, ExpiresAt: v.Token.ExpiresAt,
	}, rescind.Strict)
	switch {
	case err == nil:
		i.mu.Lock()
		defer i.mu.Unlock()
		i.claimed[v.Token.ID] = true
		return nil
	case errors.Is(err, rescind.ErrConsumed):
		return refuse(ErrUndecided, "use", "the refresh token is being used on another node; try again")
	default:
		return fmt.Errorf("token: using up the refresh token: %w", consumeError(err))
	}
}

func (i *Issuer) hasClaimed(v *Verified) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.claimed[v.Token.ID]
}

// unclaim forgets a claim that has served: from here on the revocation of the
// used token tells.
func (i *Issuer) unclaim(v *Verified) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.claimed, v.Token.ID)
}

// claimID names a refresh token in StrictRefresh apart from its revocation, whose
// time tells a retry from reuse. No jti has this form.
func claimID(id string) string {
	sum := sha256.Sum256([]byte("strict refresh\x00" + id))
	return rescind.DerivedIDPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}
