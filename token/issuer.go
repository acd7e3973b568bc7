package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
)

// Defaults and bounds of SignerConfig.
const (
	DefaultAccessLifetime = 15 * time.Minute
	DefaultRetryGrace     = 10 * time.Second
	MaxRetryGrace         = time.Minute
)

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

	// PublishedLists are as in IssuerConfig. The entry of a session's tokens is
	// what LoginOptions.Claims has as status: whoever logs in allots it, to one
	// session only. Logging out and reuse revoke it together with the session;
	// log-outs of a whole subject can't, since an Issuer keeps no sessions.
	PublishedLists []string

	// AccessLifetime is how long an access token lives. 0 means
	// DefaultAccessLifetime.
	AccessLifetime time.Duration

	// RefreshLifetime is the idle time-out: how long a refresh token lives. 0
	// means SessionLifetime.
	RefreshLifetime time.Duration

	// SessionLifetime is the hard time-out: no token of a session expires
	// later than this after its login. It must not exceed the cluster's maximum
	// lifetime, for which a revoked session is remembered; that is checked where the
	// Checker is a LifetimeChecker. 0 means DefaultMaxLifetime, or the Checker's if
	// that is less.
	SessionLifetime time.Duration

	// Checker and Revoker are the node: the same *cluster.Node for both. Other
	// nodes know of a refresh as soon as the revocation of the used token has
	// arrived there.
	Checker Checker
	Revoker Revoker

	// StrictRefresh, if not nil, is asked in mode rescind.Strict before a refresh
	// token is used up, so that two nodes that have not heard of each other's
	// refresh can't both answer one: the same *cluster.Node, with OneTime
	// configured. The slower one fails with ErrUndecided, a 503, and a retry
	// once it has heard gets the same tokens. Without a quorum nobody can
	// refresh, and a node that dies between the two steps has used up the token
	// for nothing: retries then fail with ErrRevoked, a 401, once longer than
	// RetryGrace and rescind.MaxClockSkew have passed since the first of them,
	// and the user must sign in again. nil: both answer, with tokens of
	// the same jti.
	StrictRefresh Consumer

	// RetryGrace is how long after a refresh a retry with the same refresh
	// token gets the same tokens; see Refresh. 0 means DefaultRetryGrace;
	// negative means none: every second use is reuse. At most MaxRetryGrace.
	RetryGrace time.Duration

	// OnReuse, if not nil, is told of the refresh token that was used again,
	// once its session is revoked or that has failed. It runs within Refresh,
	// on any goroutine, and must not block.
	OnReuse func(rescind.Token)

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

	// claimed holds the refresh tokens that StrictRefresh has granted to this
	// node and that could not be used up yet, for the next try, and contested
	// when those that it had granted to another node were first asked about
	// here. Both forget a token when it has expired. Guarded by mu.
	claimed, contested map[string]claim

	refreshed, retried, reused atomic.Uint64
}

// Stats counts what an Issuer has seen since it was made, for metrics.
type Stats struct {
	Refreshed uint64 // refresh tokens used up
	Retried   uint64 // retries within the grace
	Reused    uint64 // reuses, each of which ended a session
}

// Stats returns the counts so far. Safe for concurrent use.
func (i *Issuer) Stats() Stats {
	return Stats{i.refreshed.Load(), i.retried.Load(), i.reused.Load()}
}

// NewIssuer returns an Issuer, or says what is wrong with c.
func NewIssuer(c SignerConfig) (*Issuer, error) {
	c = c.owned()
	setDefault(&c.AccessLifetime, DefaultAccessLifetime)
	setDefault(&c.SessionLifetime, min(DefaultMaxLifetime, remembered(c.Checker)))
	setDefault(&c.RefreshLifetime, c.SessionLifetime)
	setDefault(&c.RetryGrace, DefaultRetryGrace)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("token: SignerConfig: %w", err)
	}
	i := &Issuer{config: c, rotating: make(map[string]chan struct{}), claimed: make(map[string]claim), contested: make(map[string]claim)}
	v, err := NewVerifier(context.Background(), VerifierConfig{
		Issuers:                      []IssuerConfig{i.Trust()},
		DangerouslyIgnoreRevocations: true, // Refresh asks the Checker itself
		clock:                        c.Checker,
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
	case c.SessionLifetime > remembered(c.Checker):
		return fmt.Errorf("a SessionLifetime of %v; the Checker remembers revocations for %v only: raise its MaxLifetime on every node first", c.SessionLifetime, remembered(c.Checker))
	case c.RetryGrace > MaxRetryGrace:
		return fmt.Errorf("a RetryGrace of %v; at most %v is allowed", c.RetryGrace, MaxRetryGrace)
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

		PublishedLists: i.config.PublishedLists,
	}
}
