package token

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"rescind"
)

// DefaultOneTimeLifetime is how long a one-time token may be used by default.
const DefaultOneTimeLifetime = 15 * time.Minute

// OneTimeOptions are the particulars of a one-time token.
type OneTimeOptions struct {
	// Lifetime is how long it may be used. 0 means DefaultOneTimeLifetime; at
	// most the issuer's SessionLifetime.
	Lifetime time.Duration

	// SessionID ties it to a session: it ends with that. Empty: to none.
	SessionID string

	// ClientID is the application it is for. Empty: none.
	ClientID string

	// Claims are added, e.g. what the link is for, which whoever takes the token
	// must look at. Claims that the issuer sets itself are refused.
	Claims map[string]any
}

// OneTime returns a token of subject that works once, for a link in a mail or a
// download ticket. It is no access token: only Verifier.Consume takes it. Like a
// login it is dated later than every revocation of the subject, so "password
// changed" ends the links that were sent before. Errors are those of Login. Safe
// for concurrent use.
func (i *Issuer) OneTime(ctx context.Context, subject string, o OneTimeOptions) (string, error) {
	setDefault(&o.Lifetime, DefaultOneTimeLifetime)
	switch {
	case subject == "":
		return "", &rescind.InvalidError{Field: "sub", Problem: "must not be empty"}
	case o.Lifetime < time.Second || o.Lifetime > i.config.SessionLifetime:
		return "", &rescind.InvalidError{Field: "lifetime", Problem: fmt.Sprintf("must be from 1s to %v", i.config.SessionLifetime)}
	case ctx.Err() != nil:
		return "", fmt.Errorf("token: minting a one-time token: %w", ctx.Err())
	}
	s, err := newSession(subject, LoginOptions{ClientID: o.ClientID, Claims: o.Claims})
	if err != nil {
		return "", err
	}
	s.id = o.SessionID
	key := i.signer()
	if s.issued, err = i.issueTime(i.covering(&s, key.kid)); err != nil {
		return "", err
	}
	s.began = s.issued
	raw, err := i.sign(key, TypeOneTime, s, rand.Text(), i.expiry(s, o.Lifetime), i.config.Audience)
	if err != nil {
		return "", fmt.Errorf("token: minting a one-time token: %w", err)
	}
	return raw, nil
}
