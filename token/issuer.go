package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"rescind"
)

// DefaultAccessLifetime is the default of SignerConfig.AccessLifetime.
const DefaultAccessLifetime = 15 * time.Minute

// maxAhead bounds how far ahead of its clock an Issuer dates a token. A
// verifier with less leeway refuses such a token for that long.
const maxAhead = DefaultLeeway

// SignerConfig configures an Issuer. Issuer, Keys, Checker and Revoker are
// required.
type SignerConfig struct {
	// Issuer is the iss of every token.
	Issuer string

	// Audience is the aud of access tokens. Empty means none. The aud of
	// refresh tokens is Issuer, so that no API takes them for its own.
	Audience []string

	// Keys sign the tokens.
	Keys *KeySet

	// AccessLifetime is how long an access token lives. 0 means
	// DefaultAccessLifetime.
	AccessLifetime time.Duration

	// RefreshLifetime is the idle time-out: how long a refresh token lives. 0
	// means SessionLifetime.
	RefreshLifetime time.Duration

	// SessionLifetime is the hard time-out: no token of a session expires
	// later than this after its login. It must not exceed the cluster's maximum
	// lifetime, for which a revoked session is remembered. 0 means
	// DefaultMaxLifetime.
	SessionLifetime time.Duration

	// Checker and Revoker are the node: the same *cluster.Node for both. A
	// refresh on one node becomes a reuse on another as soon as the revocation
	// of the used token has arrived there.
	Checker Checker
	Revoker Revoker

	// Ack is the write concern of the revocations made here. The zero value
	// leaves it to the node.
	Ack rescind.Ack

	// Now is the clock. nil means time.Now.
	Now func() time.Time

	// Logger is told of reused refresh tokens. nil means slog.Default().
	Logger *slog.Logger
}

// Issuer issues and refreshes tokens that can be revoked well: each has a jti,
// a session (sid) and a time of issue in milliseconds. It is safe for concurrent
// use and keeps no sessions; what is logged out is known to the cluster.
type Issuer struct {
	config   SignerConfig
	verifier *Verifier // of its own tokens, without revocations

	// mu guards rotating: the jti of every refresh token that is being used
	// up, with a channel that is closed when that is done. One token thus has
	// one user at a time on this node.
	mu       sync.Mutex
	rotating map[string]chan struct{}
}

// NewIssuer returns an Issuer, or says what is wrong with c.
func NewIssuer(c SignerConfig) (*Issuer, error) {
	setDefault(&c.AccessLifetime, DefaultAccessLifetime)
	setDefault(&c.SessionLifetime, DefaultMaxLifetime)
	setDefault(&c.RefreshLifetime, c.SessionLifetime)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("token: SignerConfig: %w", err)
	}
	i := &Issuer{config: c, rotating: make(map[string]chan struct{})}
	v, err := NewVerifier(context.Background(), VerifierConfig{
		Issuers:                      []IssuerConfig{i.Trust()},
		DangerouslyIgnoreRevocations: true, // Refresh asks the Checker itself
		MaxLifetime:                  c.SessionLifetime,
		CacheTokens:                  -1, // a refresh token is used once
		Now:                          c.Now,
	})
	if err != nil {
		return nil, err
	}
	i.verifier = v
	return i, nil
}

func (c SignerConfig) validate() error {
	switch {
	case c.Keys == nil || c.Keys.public.Load() == nil:
		return errors.New("no Keys; use GenerateKeySet or LoadKeySet")
	case c.Checker == nil || c.Revoker == nil:
		return errors.New("no Checker or Revoker; pass a *cluster.Node")
	case c.AccessLifetime < time.Second || c.AccessLifetime > c.RefreshLifetime || c.RefreshLifetime > c.SessionLifetime:
		return errors.New("lifetimes must satisfy 1 s <= AccessLifetime <= RefreshLifetime <= SessionLifetime")
	}
	return nil
}

// Trust returns the configuration with which a Verifier in this process accepts
// the access tokens of i. It follows key rotation.
func (i *Issuer) Trust() IssuerConfig {
	return IssuerConfig{
		Issuer:     i.config.Issuer,
		Audience:   i.config.Audience,
		Algorithms: []string{"ES256"},
		Keys:       i.config.Keys,
		Types:      []string{TypeAccess},
		AuthTime:   true,
	}
}

// LoginOptions are the particulars of a session; the zero value has none.
type LoginOptions struct {
	// ClientID is the application, as client_id.
	ClientID string

	// Claims are added to both tokens and to those that refreshing gives, e.g.
	// roles. Claims that the issuer sets itself are refused.
	Claims map[string]any

	// OnlySession logs the subject out everywhere else first.
	OnlySession bool
}

// Login returns the first tokens of a new session of subject. They are dated
// later than every revocation of the subject known to the Checker, so that "log
// out everywhere, log in again" works within one millisecond. Where that would
// be more than 5 s ahead, because some node's clock is, the error is ErrTooSoon;
// it is ErrRevoked if the client or the signing key is revoked for good. ctx
// bounds the revocation of OnlySession.
func (i *Issuer) Login(ctx context.Context, subject string, o LoginOptions) (Pair, error) {
	if subject == "" {
		return Pair{}, &rescind.InvalidError{Field: "sub", Problem: "must not be empty"}
	}
	if o.OnlySession {
		if err := i.logoutEverywhere(ctx, subject); err != nil {
			return Pair{}, err
		}
	}
	s, err := newSession(subject, o)
	if err != nil {
		return Pair{}, err
	}
	key := i.config.Keys.signer()
	s.issued, err = i.issueTime(rescind.Token{
		Issuer: i.config.Issuer, Session: s.id, Subject: subject, ClientID: o.ClientID, KeyID: key.kid,
	})
	if err != nil {
		return Pair{}, err
	}
	s.began = s.issued
	return i.mint(s, key)
}

func (i *Issuer) logoutEverywhere(ctx context.Context, subject string) error {
	r := rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: i.config.Issuer, ID: subject}}
	if _, err := i.config.Revoker.Revoke(ctx, r, i.config.Ack); err != nil && !errors.Is(err, rescind.ErrUnconfirmed) {
		return fmt.Errorf("token: ending the other sessions: %w", err)
	}
	return nil
}

// issueTime returns the earliest instant from now on at which t is not covered
// by a revocation that the Checker knows. Covering is monotone in the time of
// issue, so a binary search finds it.
func (i *Issuer) issueTime(t rescind.Token) (rescind.Millis, error) {
	now := rescind.MillisOf(i.config.Now())
	t.ExpiresAt = now.Add(i.config.AccessLifetime)
	revokedAt := func(m rescind.Millis) bool {
		t.IssuedAt = m
		return i.config.Checker.Check(t) == rescind.Revoked
	}
	if !revokedAt(now) {
		return now, nil
	}
	if revokedAt(rescind.Ever) {
		return 0, refuse(ErrRevoked, "revocation", "the client or the signing key is revoked for good")
	}
	const steps = int(maxAhead / time.Millisecond)
	ahead := sort.Search(steps+1, func(n int) bool { return !revokedAt(now + rescind.Millis(n)) })
	if ahead > steps {
		return 0, refuse(ErrTooSoon, "revocation", "the subject is revoked up to a time that lies too far ahead")
	}
	return now + rescind.Millis(ahead), nil
}
