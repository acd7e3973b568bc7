package rescind

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Key names what a revocation is about. Identifiers are compared as bytes and
// never normalised. They are scoped by issuer, since two issuers may mint the
// same jti or sub.
type Key struct {
	Scope  Scope
	Issuer string
	ID     string // for ScopeIss empty, or the issuer again
}

// Validate reports, as an *[InvalidError], the first thing that is wrong with
// k.
func (k Key) Validate() error {
	if !k.Scope.Valid() {
		return &InvalidError{Field: "scope", Problem: "must be jti, sid, sub, client_id, kid or iss"}
	}
	if err := validIdentifier("iss", k.Issuer); err != nil {
		return err
	}
	if k.Scope == ScopeIss {
		if k.ID != "" && k.ID != k.Issuer {
			return &InvalidError{Field: "id", Problem: "must be left out or equal iss in scope iss"}
		}
		return nil
	}
	return validIdentifier("id", k.ID)
}

func validIdentifier(field, s string) error {
	switch {
	case s == "":
		return &InvalidError{Field: field, Problem: "must not be empty"}
	case len(s) > MaxIDLen:
		return &InvalidError{Field: field, Problem: fmt.Sprintf("has %d bytes; at most %d are allowed", len(s), MaxIDLen)}
	case !utf8.ValidString(s):
		return &InvalidError{Field: field, Problem: "is not valid UTF-8"}
	case strings.HasPrefix(s, DerivedIDPrefix) && field == "id":
		return nil
	case strings.IndexByte(s, 0) >= 0:
		return &InvalidError{Field: field, Problem: "contains a NUL character"}
	}
	return nil
}

// DerivedIDPrefix starts the ID of a token that has no jti and is named by a
// digest of its signing input. No jti can collide with such a name because a
// NUL is refused in claims.
const DerivedIDPrefix = "\x00sha256:"

// Revocation says: until ExpiresAt, reject every token that Key matches and
// that was issued at or before IssuedBefore. A reason is for the audit log; it
// does not merge, so it is not part of a Revocation.
type Revocation struct {
	Key

	// IssuedBefore is inclusive. Zero means now for ScopeSub and ScopeIss
	// ("log out everywhere, then log in again") and [Ever] for the others.
	IssuedBefore time.Time

	// ExpiresAt is when the last covered token will have expired. Zero means
	// now plus the maximum token lifetime.
	ExpiresAt time.Time

	// Withdraw, for ScopeIss alone and with neither time, ends an issuer: every token
	// of it is refused, whenever it was issued, for the maximum token lifetime, and
	// the records of its tokens, sessions, subjects, clients and keys, which then
	// refuse nothing more, are dropped on every node. It can't be taken back: the
	// issuer is of no use until then.
	Withdraw bool
}

// Times resolves the defaults of r and checks both times against now: a
// revocation may not outlive maxLifetime, must not have lapsed already, and
// can't cover tokens that have not been issued yet. Errors are of type
// *[InvalidError].
func (r Revocation) Times(now time.Time, maxLifetime time.Duration) (issuedBefore, expiresAt Millis, err error) {
	if r.Withdraw {
		return r.withdrawal(now, maxLifetime)
	}
	switch {
	case r.ExpiresAt.IsZero():
		expiresAt = MillisOf(now.Add(maxLifetime))
	case r.ExpiresAt.After(now.Add(maxLifetime + MaxLeeway)):
		return 0, 0, &InvalidError{Field: "expires_at", Problem: fmt.Sprintf("lies more than the maximum token lifetime of %v ahead", maxLifetime)}
	case !r.ExpiresAt.Add(MaxLeeway).After(now):
		return 0, 0, &InvalidError{Field: "expires_at", Problem: "lies in the past; an expired token needs no revocation"}
	default:
		expiresAt = MillisOf(r.ExpiresAt.Add(time.Millisecond - 1)) // up: never shorter than asked
	}
	switch {
	case r.IssuedBefore.IsZero() && r.Scope.coversEver():
		issuedBefore = Ever
	case r.IssuedBefore.IsZero():
		issuedBefore = MillisOf(now)
	case r.IssuedBefore.After(now.Add(MaxClockSkew)):
		return 0, 0, &InvalidError{Field: "issued_before", Problem: "lies in the future; a later login could then never succeed"}
	case r.IssuedBefore.Unix() <= 0:
		return 0, 0, &InvalidError{Field: "issued_before", Problem: "lies before 1970"}
	default:
		issuedBefore = MillisOf(r.IssuedBefore.Add(time.Millisecond - 1))
	}
	return issuedBefore, expiresAt, nil
}

// withdrawal is Times for an issuer that is withdrawn. No record that is accepted at
// the same maximum lifetime lasts longer.
func (r Revocation) withdrawal(now time.Time, maxLifetime time.Duration) (issuedBefore, expiresAt Millis, err error) {
	switch {
	case r.Scope != ScopeIss:
		return 0, 0, &InvalidError{Field: "withdraw", Problem: "is for scope iss"}
	case !r.IssuedBefore.IsZero() || !r.ExpiresAt.IsZero():
		return 0, 0, &InvalidError{Field: "withdraw", Problem: "can't stand beside issued_before or expires_at: it covers all tokens, for the maximum token lifetime"}
	}
	return Ever, MillisOf(now.Add(maxLifetime + MaxLeeway + time.Millisecond)), nil
}
