package token

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
)

// Verifier judges tokens. It is safe for concurrent use.
type Verifier struct {
	config VerifierConfig
	trust  atomic.Pointer[trust]
	cache  *cache

	mu      sync.Mutex // held while the issuers are replaced
	closed  bool
	running sync.WaitGroup // the loops of the remote key sets and the status lists
}

// trust is whom a Verifier trusts; it is replaced as a whole.
type trust struct {
	issuers    map[string]*trusted
	decryption []*decrypter // of all issuers; usually none
}

// NewVerifier returns a Verifier, or says what is wrong with c: every key that
// is at hand is loaded and checked. Keys at a URL are fetched in the background,
// and until they arrive tokens are refused with ErrNotReady; so an issuer that
// is down does not keep a service from starting. ctx governs construction only.
func NewVerifier(ctx context.Context, c VerifierConfig) (*Verifier, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("token: making a verifier: %w", err)
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("token: VerifierConfig: %w", err)
	}
	issuers := c.Issuers
	c.Issuers = nil // may hold secrets; the key sets hold them once
	v := &Verifier{config: c, cache: newCache(c.CacheTokens, c.CacheBytes)}
	v.trust.Store(&trust{})
	if err := v.SetIssuers(issuers); err != nil {
		return nil, err
	}
	return v, nil
}

// SetIssuers replaces the issuers, and reads their files again, without a
// restart: tokens are judged by the old ones until the new ones are all good. On
// an error the old ones stay. Keys that come from the same URL as before are
// kept; those of a new one are being fetched when it returns.
func (v *Verifier) SetIssuers(issuers []IssuerConfig) error {
	commit, err := v.PrepareIssuers(issuers)
	if err == nil {
		commit()
	}
	return err
}

// PrepareIssuers is the part of SetIssuers that can fail. What it returns does the
// rest, for who changes other things with the issuers or none. Only the latest
// one that was prepared may be called.
func (v *Verifier) PrepareIssuers(issuers []IssuerConfig) (commit func(), err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil, errors.New("token: the verifier is closed")
	}
	next, err := newTrust(issuers, &v.config, v.trust.Load())
	if err != nil {
		return nil, err
	}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.closed {
			return
		}
		old := v.trust.Load()
		v.trust.Store(next)
		v.follow(old, next)
	}, nil
}

func newTrust(issuers []IssuerConfig, c *VerifierConfig, old *trust) (*trust, error) {
	next := &trust{issuers: make(map[string]*trusted)}
	var err error
	if next.decryption, err = decrypters(issuers); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	for i, ic := range issuers {
		t, err := newTrusted(ic, c, old.issuers[ic.Issuer])
		if err != nil {
			return nil, fmt.Errorf("token: issuer %d (%.80q): %w", i+1, ic.Issuer, err)
		}
		if next.issuers[ic.Issuer] != nil {
			return nil, fmt.Errorf("token: issuer %d (%.80q) is configured twice", i+1, ic.Issuer)
		}
		next.issuers[t.Issuer] = t
	}
	for _, t := range next.issuers {
		for _, uri := range t.PublishedLists {
			if next.issuers[uri] != nil {
				return nil, fmt.Errorf("token: %.80q is an issuer and the status list of another", uri)
			}
		}
	}
	return next, nil
}

// follow starts the loops that are new and stops those of what is gone.
func (v *Verifier) follow(old, next *trust) {
	kept := make(map[loop]bool)
	for _, t := range next.issuers {
		if t.lists != nil {
			t.lists.signer.Store(t.signer)
		}
		for _, l := range t.loops() {
			kept[l] = true
			l.Start(&v.running)
		}
	}
	for _, t := range old.issuers {
		t.replaced.Store(true)
		for _, l := range t.loops() {
			if !kept[l] {
				l.Halt()
			}
		}
	}
}

// Close stops the background loops and waits for them. It may be called more
// than once. Verifying goes on working with the keys at hand.
func (v *Verifier) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	for _, t := range v.trust.Load().issuers {
		for _, l := range t.loops() {
			l.Halt()
		}
	}
	v.running.Wait()
}

// Verify returns what raw, an access token, says if it may be used right now:
// form, signature, issuer, type, audience, times and revocation are in order.
// Otherwise the error is an *Error and matches one of the sentinels. It does no
// I/O, and does not keep raw, which may lie in a buffer that is used again.
func (v *Verifier) Verify(raw string) (*Verified, error) {
	return v.verify(raw, rules{})
}

// VerifyAcceptingStale is Verify, but lets a token pass that no known revocation
// covers even where the node's policy is to reject while it may be behind; see
// AcceptStale.
func (v *Verifier) VerifyAcceptingStale(raw string) (*Verified, error) {
	return v.verify(raw, rules{acceptStale: true})
}

// Inspection says what VerifyIgnoringRevocation lets pass.
type Inspection struct {
	// AllowExpired accepts a token after its exp.
	AllowExpired bool

	// AllowNoExp accepts a token without exp, whatever its issuer's settings.
	AllowNoExp bool

	// Early accepts a token whose iat or nbf is as much further ahead than the
	// verifier's leeway.
	Early time.Duration

	// Types are accepted besides the access tokens', e.g. TypeRefresh; see
	// Verified.Type.
	Types []string

	// Audience is expected instead of the issuer's: aud must contain one of
	// these. Empty means the issuer's.
	Audience []string

	// AnyAudience accepts tokens that are meant for others, whatever Audience
	// says: to revoke one, it need not be meant for this verifier.
	AnyAudience bool
}

// VerifyIgnoringRevocation is Verify without the question whether the token is
// revoked, and with the exceptions of i. It serves end points that describe a
// token. Never let its answer open a door: the token may have been revoked long
// ago. Nor revoke by it: see VerifyToRevoke.
func (v *Verifier) VerifyIgnoringRevocation(raw string, i Inspection) (*Verified, error) {
	return v.verify(raw, rules{ignoreRevocation: true, allowExpired: i.AllowExpired, allowNoExp: i.AllowNoExp, early: i.Early, types: i.Types, audience: i.Audience, anyAudience: i.AnyAudience})
}

// VerifyToRevoke is VerifyIgnoringRevocation for a token that is shown in order to
// revoke with it: to log out, to report it stolen, or because it is a message that
// ends sessions. That the token itself has been revoked, its session or its
// subject, is no reason against that. That its key has been, or its issuer for
// ever, is: whoever stole the key would log out anybody with it. The error is then
// ErrRevoked, and ErrNotReady where this node can't know yet.
func (v *Verifier) VerifyToRevoke(raw string, i Inspection) (*Verified, error) {
	verified, err := v.VerifyIgnoringRevocation(raw, i)
	if err != nil || v.config.Checker == nil {
		return verified, err
	}
	t := verified.Token
	signer := rescind.Token{Issuer: t.Issuer, KeyID: t.KeyID, IssuedAt: rescind.Ever, ExpiresAt: t.ExpiresAt}
	switch v.config.Checker.Check(signer) {
	case rescind.Valid, rescind.Stale: // that a node is behind keeps nobody from logging out
		return verified, nil
	case rescind.Revoked:
		return nil, errSignerRevoked
	default:
		return nil, verdictError(rescind.Unknown, false)
	}
}

var errSignerRevoked = refuse(ErrRevoked, "revocation", "the key that signed the token has been revoked, or its issuer")

// rules are the exceptions from Verify's judgement; the zero value has none.
type rules struct {
	ignoreRevocation bool
	checkStatus      bool // all the same
	allowExpired     bool
	allowNoExp       bool
	early            time.Duration // that iat and nbf may be ahead beside the leeway
	acceptStale      bool
	maxStaleness     time.Duration // 0: none besides the node's policy
	types            []string      // accepted besides the issuer's
	audience         []string      // expected instead of the issuer's
	anyAudience      bool
}

func (v *Verifier) verify(raw string, r rules) (*Verified, error) {
	a := v.cache.get(raw)
	if a == nil {
		var err error
		if a, err = v.authenticate(raw); err != nil {
			return nil, err
		}
		v.cache.put(raw, a)
	}
	now := v.config.Now()
	err := v.judge(a, r, rescind.MillisOf(now))
	if err != nil && restsOnTime(err) {
		now, err = v.refuseByTime(a, r)
	}
	if err != nil {
		if errors.Is(err, ErrExpired) {
			v.cache.drop(raw)
		}
		return nil, err
	}
	if err := v.checkStanding(a, r, rescind.MillisOf(now)); err != nil {
		return nil, err
	}
	verified := a.Verified
	verified.at, verified.leeway = now, v.config.Leeway
	return &verified, nil
}

// checkStanding asks the Checker and the issuer's status list. What one of them
// knows against the token counts before what the other can't know.
func (v *Verifier) checkStanding(a *authentic, r rules, now rescind.Millis) (err error) {
	if !r.ignoreRevocation {
		err = v.checkRevocation(&a.Verified, r)
	}
	if r.ignoreRevocation && !r.checkStatus || err != nil && !cannotKnow(err) {
		return err
	}
	reliedUpon := func() bool { return knowsTime(v.clock()) }
	if status := a.checkStatus(now, reliedUpon); err == nil || status != nil && !cannotKnow(status) {
		return status
	}
	return err
}

// cannotKnow reports whether err says nothing about the token.
func cannotKnow(err error) bool { return errors.Is(err, ErrStale) || errors.Is(err, ErrNotReady) }

// checkRevocation asks the Checker. Only Valid passes: an answer that a later
// version might add is no permission.
func (v *Verifier) checkRevocation(t *Verified, r rules) error {
	if v.config.Checker == nil {
		return nil
	}
	fresh := v.freshWithin(r.maxStaleness)
	err := verdictError(check(v.config.Checker, t), r.acceptStale)
	if err == nil && !fresh {
		return errStale
	}
	return err
}

var errStale = refuse(ErrStale, "revocation", "this node may be too far behind to tell whether the token is revoked")

// check asks c about every name under which the token can be revoked.
func check(c Checker, v *Verified) rescind.Verdict {
	verdict := c.Check(v.Token)
	if v.clientSession == "" && v.published.ID == "" {
		return verdict
	}
	names, n := v.aliases()
	for _, name := range names[:n] {
		again := c.Check(name)
		if again == rescind.Revoked || verdict == rescind.Valid {
			verdict = again
		}
		if verdict == rescind.Revoked {
			break
		}
	}
	return verdict
}

func verdictError(verdict rescind.Verdict, acceptStale bool) error {
	switch {
	case verdict == rescind.Valid, verdict == rescind.Stale && acceptStale:
		return nil
	case verdict == rescind.Revoked:
		return errRevoked
	case verdict == rescind.Stale:
		return errStale
	default:
		return refuse(ErrNotReady, "revocation", "this node has not loaded its revocations yet")
	}
}

// horizon is the latest expiry that a token issued at iat, or without iat seen
// at now, may have.
func horizon(iat, now rescind.Millis, maxLifetime time.Duration) rescind.Millis {
	if iat == 0 {
		iat = now
	}
	return iat.Add(maxLifetime)
}
