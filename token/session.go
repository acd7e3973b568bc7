package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"rescind"
)

// Logout ends the session of v, "log out this device", on every node: its
// access and refresh tokens, also those yet to come. A token without sid ends
// alone. Once it returns nil that is durable as SignerConfig.Ack asks, or at
// least on this node; otherwise the error says why revoking failed. v may come
// from FromContext. Safe for concurrent use.
func (i *Issuer) Logout(ctx context.Context, v *Verified) error {
	if err := i.endSession(ctx, v); err != nil {
		return fmt.Errorf("token: ending a session: %w", err)
	}
	return nil
}

// endSession revokes the session of v, and before that its entry in a status list.
func (i *Issuer) endSession(ctx context.Context, v *Verified) error {
	r := v.Session()
	if entry, ok := v.Published(r); ok {
		if err := i.revoke(ctx, entry); err != nil {
			return err
		}
	}
	return i.revoke(ctx, r)
}

// LogoutOthers ends every session of the refresh token's subject on every node
// but its own, and returns that session's next tokens. The session's old tokens
// end as well, so the client must take up the new ones; if the answer is lost,
// the user has to sign in again. auth_time and the hard end of the session stay
// as they were. The errors are those of Refresh, of which this is one, and of
// LogoutAll. Safe for concurrent use.
func (i *Issuer) LogoutOthers(ctx context.Context, refreshToken string) (Pair, error) {
	v, err := i.verifyRefresh(refreshToken)
	if err != nil {
		return Pair{}, err
	}
	release, err := i.acquire(ctx, v.Token.ID)
	if err != nil {
		return Pair{}, err
	}
	defer release()
	s, err := i.resume(v)
	if err != nil {
		return Pair{}, err
	}
	if _, err := i.checkUse(ctx, v, &s); err != nil {
		return Pair{}, err
	}
	if err := i.claim(ctx, v); err != nil {
		return Pair{}, err
	}
	if err := i.endSessions(ctx, s.subject, s.valid()); err != nil {
		return Pair{}, err
	}
	i.unclaim(v)
	key := i.signer()
	if s.dated, err = i.issueTime(i.covering(&s, key.kid)); err != nil {
		return Pair{}, err
	}
	s.issued = s.dated
	s.accessID, s.refreshID = rand.Text(), rand.Text() // not a successor of a retry
	return i.mint(s, key)
}

// PasswordChanged ends every session of subject that began at or before at, on
// every node. A session that began later, with the new password, stays. To keep
// the session in which the password was changed, use LogoutOthers instead. The zero
// time stands for now; at must not lie more than rescind.MaxClockSkew ahead; otherwise the error is an
// *rescind.InvalidError. It is durable like LogoutAll. Safe for concurrent use.
func (i *Issuer) PasswordChanged(ctx context.Context, subject string, at time.Time) error {
	r := rescind.Revocation{
		Key:          rescind.Key{Scope: rescind.ScopeSub, Issuer: i.config.Issuer, ID: subject},
		IssuedBefore: at,
	}
	if at.IsZero() {
		r.IssuedBefore = i.config.Now()
	}
	if err := i.revoke(ctx, r); err != nil {
		return fmt.Errorf("token: ending the sessions with the old password: %w", err)
	}
	return nil
}

// clientSessionID names the sessions that a subject opened with OnePerClient at
// one client. It has the form of a derived ID, which no jti can have.
func clientSessionID(subject, clientID string) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(len(subject))) // "a"+"bc" is not "ab"+"c"
	sum := sha256.Sum256(append(append(b, subject...), clientID...))
	return rescind.DerivedIDPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// clientSessionToken is what the Checker is asked about them.
func clientSessionToken(issuer, id string, issued rescind.Millis) rescind.Token {
	return rescind.Token{Issuer: issuer, ID: id, IssuedAt: issued}
}
