package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"rescind"
)

// Refresh uses up a refresh token and returns the next tokens of its session
// (RFC 6749 section 6, RFC 9700 section 4.14.2). Neither the idle time-out nor
// the hard end of the session can be moved by presenting a token twice:
//
//   - The first use is revoked on this node's disk, with the time of use, before
//     Refresh returns.
//   - A retry at most SignerConfig.RetryGrace after that use, while the
//     successor has not been used itself, gets the very same tokens: a client
//     may lose an answer, and two tabs may refresh at once. It writes nothing,
//     so it extends nothing.
//   - Everything else is reuse, by a thief or after one: the whole session is
//     revoked on every node and the error is ErrReused. It then also matches
//     what went wrong if that revocation failed.
//
// This holds on every node whose Issuer has the same configuration and keys,
// since the successors are computed from the used token and its time of use,
// which the revocation carries. A retry on a node that has not yet heard of the
// first use counts as a first use there: it gets tokens with the same jti, so
// there is one successor, which can be used once; the later time of use then
// holds everywhere. If the keys were rotated in between, the same jti comes in
// a token signed by the newer key. The grace is measured from the clock of the
// node that was first to the clock of the one that is asked: a difference of
// clocks shortens or lengthens it by as much.
//
// The error is ErrRevoked for a session that has ended, ErrExpired past a
// time-out, ErrStale or ErrNotReady where this node can't know; see Status. If
// revoking fails, nothing is issued and the error says why; where ctx ended
// meanwhile the token may have been used up, and a retry within the grace gets
// what it was used up for. Safe for concurrent use.
func (i *Issuer) Refresh(ctx context.Context, refreshToken string) (Pair, error) {
	v, err := i.verifyRefresh(refreshToken)
	if err != nil {
		return Pair{}, err
	}
	release, err := i.acquire(ctx, v.Token.ID)
	if err != nil {
		return Pair{}, err
	}
	defer release()
	return i.rotate(ctx, v)
}

// verifyRefresh judges everything about a refresh token but its revocation.
func (i *Issuer) verifyRefresh(raw string) (*Verified, error) {
	v, err := i.verifier.VerifyIgnoringRevocation(raw, Inspection{Types: []string{TypeRefresh}})
	if err != nil {
		return nil, err
	}
	if v.Type != TypeRefresh {
		return nil, refuse(ErrType, "type", "the token is not a refresh token")
	}
	return v, nil
}

// rotate does what Refresh says. The caller has acquired the token.
func (i *Issuer) rotate(ctx context.Context, v *Verified) (Pair, error) {
	s, err := i.resume(v)
	if err != nil {
		return Pair{}, err
	}
	retry, err := i.checkUse(ctx, v, &s)
	if err != nil {
		return Pair{}, err
	}
	next, err := i.mint(s, i.signer())
	if err != nil {
		return Pair{}, err
	}
	if retry {
		i.retried.Add(1)
		return next, nil
	}
	if err := i.useUp(ctx, v, s); err != nil {
		return Pair{}, err
	}
	i.refreshed.Add(1)
	return next, nil
}

// useUpWithin bounds the using up of a refresh token.
const useUpWithin = 5 * time.Second

// useUp claims v and revokes it as of s. Once begun it is not cut short because
// the client has hung up: a claim without a revocation would keep everybody from
// refreshing.
func (i *Issuer) useUp(ctx context.Context, v *Verified, s session) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("token: using up the refresh token: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), useUpWithin)
	defer cancel()
	if err := i.claim(ctx, v); err != nil {
		return err
	}
	use := v.This()
	use.IssuedBefore = s.issued.Time()
	if err := i.revoke(ctx, use); err != nil {
		return fmt.Errorf("token: using up the refresh token: %w", err)
	}
	i.unclaim(v)
	return nil
}

// acquire waits until nobody else on this node is using the token called id.
func (i *Issuer) acquire(ctx context.Context, id string) (release func(), err error) {
	for {
		i.mu.Lock()
		busy := i.rotating[id]
		if busy == nil {
			done := make(chan struct{})
			i.rotating[id] = done
			i.mu.Unlock()
			return func() { i.release(id, done) }, nil
		}
		i.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, fmt.Errorf("token: waiting for another use of the refresh token: %w", ctx.Err())
		}
	}
}

func (i *Issuer) release(id string, done chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.rotating, id)
	close(done)
}

// checkUse refuses a refresh token whose session has ended or that is being
// reused. For a retry it dates s to the first use.
func (i *Issuer) checkUse(ctx context.Context, v *Verified, s *session) (retry bool, err error) {
	family := *v
	family.Token.ID = ""
	if err := verdictError(check(i.config.Checker, &family), false); err != nil {
		return false, err
	}
	if !i.usedBy(v.Token.ID, v.Token.IssuedAt) {
		return false, nil
	}
	used, ok := i.recentUse(v.Token.ID)
	if !ok || i.usedBy(s.refreshID, v.Token.IssuedAt) {
		return false, i.endReused(ctx, v)
	}
	s.issued = used
	return true, nil
}

// usedBy reports whether the refresh token called id was used at m or later: a
// use is the revocation of the jti, with the time of use as IssuedBefore.
func (i *Issuer) usedBy(id string, m rescind.Millis) bool {
	t := rescind.Token{Issuer: i.config.Issuer, ID: id, IssuedAt: m}
	return i.config.Checker.Check(t) == rescind.Revoked
}

// recentUse returns when a used refresh token was used, if that is within the
// grace. The Checker only answers yes or no, which is monotone in the time, so
// a binary search finds it. A token revoked for good has no such time.
func (i *Issuer) recentUse(id string) (used rescind.Millis, ok bool) {
	if i.config.RetryGrace < 0 {
		return 0, false
	}
	now := rescind.MillisOf(i.config.Now())
	from, to := now.Add(-i.config.RetryGrace), now.Add(rescind.MaxClockSkew)
	unused, ok := firstAfter(from, to, func(m rescind.Millis) bool { return i.usedBy(id, m) })
	return unused - 1, ok && unused > from
}

// endReused ends the session of a refresh token that was used again.
func (i *Issuer) endReused(ctx context.Context, v *Verified) error {
	i.reused.Add(1)
	i.config.Logger.Warn("a refresh token was used again; its session is being revoked", "iss", v.Token.Issuer)
	reused := refuse(ErrReused, "revocation", "the refresh token has been used before; its session has ended")
	err := i.endSession(ctx, v)
	if i.config.OnReuse != nil {
		i.config.OnReuse(v.Token)
	}
	if err != nil {
		return fmt.Errorf("%w; revoking the session: %w", reused, err)
	}
	return reused
}

// revoke makes r durable here. Fewer acknowledgements than asked for are no
// failure: the revocation stands and goes on spreading, and the client would
// lose its session over it.
func (i *Issuer) revoke(ctx context.Context, r rescind.Revocation) error {
	_, err := i.config.Revoker.Revoke(ctx, r, i.config.Ack)
	if errors.Is(err, rescind.ErrUnconfirmed) {
		return nil
	}
	return err
}

// resume returns the session that a refresh token belongs to, dated now, with
// the identifiers of the token's successors.
func (i *Issuer) resume(v *Verified) (session, error) {
	c, err := parseClaims(v.claims, DefaultMaxDepth)
	if err != nil {
		return session{}, err
	}
	key := i.config.Keys.named(v.Token.KeyID)
	if key == nil {
		return session{}, refuse(ErrUnknownKey, "key", "the key of the token has just been dropped")
	}
	s := session{
		id:            v.Token.Session,
		subject:       v.Token.Subject,
		clientID:      v.Token.ClientID,
		clientSession: c.clientSession,
		accessID:      key.successorID(TypeAccess, v.Token.ID),
		refreshID:     key.successorID(TypeRefresh, v.Token.ID),
		began:         c.authTime,
		dated:         c.sessionIssued,
	}
	s.issued = max(rescind.MillisOf(i.config.Now()), s.valid()) // a login may have been dated ahead
	return s, v.decodeExtra(&s.extra)
}

// decodeExtra stores the claims that no verifier judges.
func (v *Verified) decodeExtra(extra *map[string]jsontext.Value) error {
	if err := v.Decode(extra); err != nil {
		return err
	}
	for _, name := range claimNames {
		delete(*extra, name)
	}
	return nil
}
