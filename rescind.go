// Package rescind is the vocabulary of Rescind, which logs JWTs out: what a
// revocation is, how two of them merge, what a check answers, and which errors
// callers can tell apart. It does nothing by itself; package cluster runs a
// node, package token verifies and issues tokens.
//
// A [Revocation] says: until ExpiresAt, reject every token of Issuer whose
// claim named by Scope equals ID and that was issued at or before
// IssuedBefore. A node keeps a revocation as a [Record], in which a keyed
// [Digest] stands for (scope, issuer, id), so that raw identifiers never leave
// the node that accepted them.
//
// Records form a join semilattice (a state-based CRDT; Shapiro et al., 2011):
// [Record.Join] takes the maximum of both times. Hence records may arrive in
// any order, any number of times, from anyone, and every node ends with the
// same set. There is no un-revoke: logging in again mints a newer token.
package rescind

import (
	"time"
)

const (
	// MaxIDLen bounds an identifier and an issuer, in bytes.
	MaxIDLen = 1024

	// MaxLeeway is the largest clock leeway that a verifier may be configured
	// with.
	MaxLeeway = 60 * time.Second

	// MaxClockSkew is the assumed bound on the difference of two nodes' wall
	// clocks.
	MaxClockSkew = 30 * time.Second

	// RetentionMargin is how long a record is kept after its ExpiresAt. It is
	// a constant, not a setting, because it must cover the leeway of every
	// verifier in the cluster: otherwise a token could outlive its own
	// revocation on the node with the largest leeway.
	RetentionMargin = MaxLeeway + MaxClockSkew

	// MaxLifetimeLimit bounds every configured maximum token lifetime, so that
	// no arithmetic on instants can overflow and no record pins memory for
	// ever.
	MaxLifetimeLimit = 5 * 366 * 24 * time.Hour
)

// Millis is an instant in milliseconds since the Unix epoch. Records hold
// Millis and not [time.Time] because they fill tables of millions of entries,
// which must hold no pointers and have one binary form.
type Millis int64

// Ever is the IssuedBefore that covers every token, whenever it was issued.
const Ever = Millis(1<<63 - 1)

// MillisOf returns t rounded down to a millisecond. Rounding down is the safe
// side for a token's issue time: it can then only look older than it is.
func MillisOf(t time.Time) Millis {
	return Millis(t.UnixMilli())
}

// Time returns m as a UTC time. Ever becomes the zero time, "not limited", and
// so does the IssuedBefore of a used token.
func (m Millis) Time() time.Time {
	if m == Ever || m.isUse() {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// Add returns m moved by d, which is truncated to milliseconds.
func (m Millis) Add(d time.Duration) Millis {
	return m + Millis(d.Milliseconds())
}

// Verdict is the answer of a check. The zero value is Unknown and never
// Valid, so that a forgotten answer fails closed.
type Verdict uint8

const (
	Unknown Verdict = iota // this node cannot know yet: it is still loading or synchronising
	Valid                  // no revocation known here covers the token
	Revoked                // a revocation covers the token
	Stale                  // none known, but this node may be further behind than the policy allows
)

// String returns the verdict in lower case, as metrics and JSON show it.
func (v Verdict) String() string {
	switch v {
	case Valid:
		return "valid"
	case Revoked:
		return "revoked"
	case Stale:
		return "stale"
	default:
		return "unknown"
	}
}

// Token is what a check needs to know of a token whose signature and times
// have been verified. An empty string means that the token lacks the claim.
type Token struct {
	Issuer   string // iss
	ID       string // jti; where the token has none, a name derived from its signing input
	Session  string // sid
	Subject  string // sub
	ClientID string // client_id, else azp
	KeyID    string // kid of the JOSE header

	// IssuedAt is iat rounded down, or 0 where the token has none: such a
	// token can't be proven newer than any IssuedBefore.
	IssuedAt Millis

	// ExpiresAt is exp rounded down.
	ExpiresAt Millis
}

// Value returns the token's value for the claim that scope matches, or "" if
// the token has none.
func (t *Token) Value(scope Scope) string {
	switch scope {
	case ScopeJTI:
		return t.ID
	case ScopeSID:
		return t.Session
	case ScopeSub:
		return t.Subject
	case ScopeClientID:
		return t.ClientID
	case ScopeKID:
		return t.KeyID
	case ScopeIss:
		return t.Issuer
	default:
		return ""
	}
}
