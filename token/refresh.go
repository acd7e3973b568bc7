package token

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"rescind"
)

// Refresh uses up a refresh token and returns the next tokens of its session
// (RFC 9700 section 4.14.2). The used token is revoked; who presents it again
// may be a thief, so that revokes the whole session and gives ErrReused. Of two
// concurrent calls with one token on one node one succeeds, and the other is
// such a reuse; on two nodes both succeed if the second comes before the first
// one's revocation has arrived there, and the reuse shows at the next refresh.
//
// If revoking fails, nothing is issued and the error says why. Where ctx ended
// meanwhile, the token may have been used up all the same.
func (i *Issuer) Refresh(ctx context.Context, refreshToken string) (Pair, error) {
	v, err := i.verifier.VerifyIgnoringRevocation(refreshToken, Inspection{Types: []string{TypeRefresh}})
	if err != nil {
		return Pair{}, err
	}
	if v.Type != TypeRefresh {
		return Pair{}, refuse(ErrType, "type", "the token is not a refresh token")
	}
	release, err := i.acquire(ctx, v.Token.ID)
	if err != nil {
		return Pair{}, err
	}
	defer release()
	if err := i.checkUnused(ctx, v); err != nil {
		return Pair{}, err
	}
	s, err := i.resume(v)
	if err != nil {
		return Pair{}, err
	}
	next, err := i.mint(s, i.config.Keys.signer())
	if err != nil {
		return Pair{}, err
	}
	if err := i.revoke(ctx, v.This()); err != nil {
		return Pair{}, fmt.Errorf("token: using up the refresh token: %w", err)
	}
	return next, nil
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

// checkUnused refuses a revoked refresh token. If only its jti is revoked, it
// has been used before: then the session is revoked too.
func (i *Issuer) checkUnused(ctx context.Context, v *Verified) error {
	verdict := i.config.Checker.Check(v.Token)
	if verdict != rescind.Revoked {
		return verdictError(verdict, false)
	}
	session := v.Token
	session.ID = ""
	if i.config.Checker.Check(session) == rescind.Revoked {
		return verdictError(verdict, false)
	}
	i.config.Logger.Warn("a refresh token was used twice; its session is revoked", "iss", v.Token.Issuer)
	reused := refuse(ErrReused, "revocation", "the refresh token has been used before; its session has ended")
	if err := i.revoke(ctx, v.Session()); err != nil {
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

// resume returns the session that a refresh token belongs to.
func (i *Issuer) resume(v *Verified) (session, error) {
	var all map[string]jsontext.Value
	if err := v.Decode(&all); err != nil {
		return session{}, err
	}
	for name := range all {
		if slices.Contains(claimNames, name) {
			delete(all, name)
		}
	}
	now := rescind.MillisOf(i.config.Now())
	began := v.Token.IssuedAt // auth_time, by Trust
	return session{
		id:       v.Token.Session,
		subject:  v.Token.Subject,
		clientID: v.Token.ClientID,
		extra:    all,
		began:    began,
		issued:   max(now, began), // a login may have been dated ahead
	}, nil
}
