package token

import (
	"fmt"

	"rescind"
	"rescind/internal/problem"
)

// Why a token was refused, for errors.Is. [Status] maps them to HTTP. They are
// declared beside the table that says so, which all interfaces share.
var (
	ErrNoToken   = problem.ErrNoToken
	ErrRequest   = problem.ErrRequest
	ErrMalformed = problem.ErrMalformed
	ErrTooLarge  = problem.ErrTooLarge

	ErrAlgorithm  = problem.ErrAlgorithm
	ErrUnknownKey = problem.ErrUnknownKey
	ErrSignature  = problem.ErrSignature
	ErrDecryption = problem.ErrDecryption

	ErrClaims         = problem.ErrClaims
	ErrUnknownIssuer  = problem.ErrUnknownIssuer
	ErrAudience       = problem.ErrAudience
	ErrType           = problem.ErrType
	ErrExpired        = problem.ErrExpired
	ErrNotYetValid    = problem.ErrNotYetValid
	ErrIssuedInFuture = problem.ErrIssuedInFuture
	ErrLifetime       = problem.ErrLifetime
	ErrIssuer         = problem.ErrIssuer // good, and not of the issuer that the route requires
	ErrScope          = problem.ErrScope

	ErrRevoked = rescind.ErrRevoked
	// ErrSuspended and ErrStatus are what a status list of the issuer says, or
	// that it says nothing about the token.
	ErrSuspended = problem.ErrSuspended
	ErrStatus    = problem.ErrStatus

	ErrReused = problem.ErrReused

	// ErrStale: this node may be further behind than the policy allows.
	ErrStale = rescind.ErrStale

	// ErrNotReady: this node has not loaded its revocations, or not yet the
	// issuer's keys or status list. An error about keys is then ErrUnknownKey as
	// well, one about a list ErrStatus.
	ErrNotReady = problem.ErrNotReady

	// ErrTooSoon: a revocation of the subject reaches further ahead than an
	// issuer may date a token. Some clock is wrong, or about to be overtaken.
	ErrTooSoon = problem.ErrTooSoon
)

// errKeysPending is what an unknown key means while the issuer's keys are being
// fetched: the token may well be good.
var errKeysPending = fmt.Errorf("%w: %w", ErrNotReady, ErrUnknownKey)

// errStatusPending is what it means that the issuer's status list is not at hand.
var errStatusPending = fmt.Errorf("%w: %w", ErrNotReady, ErrStatus)

// Error says which check refused a token. It never holds the token or the value
// of a claim, so it may be logged and shown to the client.
type Error struct {
	Check  string // what was checked: "size", "form", "header", "key", "signature", "claims", "time", "revocation" ...
	Reason string // printable ASCII without quotes, as RFC 6750 section 3 wants it
	Err    error  // one of the sentinels above
	Scope  string // with ErrScope: the scopes that are required, parted by blanks
}

func (e *Error) Error() string { return "token refused: " + e.Check + ": " + e.Reason }

// ProblemDetail returns the words for the token's holder: Reason and Scope.
func (e *Error) ProblemDetail() (reason, scope string) { return e.Reason, e.Scope }

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

func refuse(err error, check, reason string) error {
	return &Error{Check: check, Reason: reason, Err: err}
}
