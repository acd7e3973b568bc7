package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"time"

	"rescind"
)

// claim is what is remembered of one refresh token and StrictRefresh.
type claim struct{ since, expires time.Time }

// sweepClaims is how many claims there are before those of expired tokens are
// looked for: claims that were not settled at once are few.
const sweepClaims = 256

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
		i.remember(i.claimed, v)
		return nil
	case !errors.Is(err, rescind.ErrConsumed):
		return fmt.Errorf("token: using up the refresh token: %w", consumeError(err))
	case i.config.Now().Sub(i.remember(i.contested, v)) > i.config.RetryGrace+rescind.MaxClockSkew:
		return refuse(ErrRevoked, "use", "the refresh token was used up by a node that did not finish; sign in again")
	default:
		return refuse(ErrUndecided, "use", "the refresh token is being used on another node; try again")
	}
}

func (i *Issuer) hasClaimed(v *Verified) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok := i.claimed[v.Token.ID]
	return ok
}

// remember puts v into one of the two maps of claims and returns since when it
// has been there.
func (i *Issuer) remember(claims map[string]claim, v *Verified) (since time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.config.Now()
	if len(claims) >= sweepClaims {
		maps.DeleteFunc(claims, func(_ string, c claim) bool { return c.expires.Before(now) })
	}
	c, ok := claims[v.Token.ID]
	if !ok {
		c = claim{now, v.Token.ExpiresAt.Time()}
		claims[v.Token.ID] = c
	}
	return c.since
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
