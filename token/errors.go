package token

import (
	"errors"
	"fmt"

	"rescind"
)

// Why a token was refused, for errors.Is. [Status] maps them to HTTP.
var (
	ErrNoToken   = errors.New("no bearer token")
	ErrRequest   = errors.New("malformed authorization header")
	ErrMalformed = errors.New("malformed token")
	ErrTooLarge  = errors.New("token too large")

	ErrAlgorithm  = errors.New("algorithm not allowed")
	ErrUnknownKey = errors.New("unknown key")
	ErrSignature  = errors.New("bad signature")
	ErrDecryption = errors.New("token can't be decrypted")

	ErrClaims         = errors.New("bad claims")
	ErrUnknownIssuer  = errors.New("unknown issuer")
	ErrAudience       = errors.New("wrong audience")
	ErrType           = errors.New("wrong token type")
	ErrExpired        = errors.New("token expired")
	ErrNotYetValid    = errors.New("token not yet valid")
	ErrIssuedInFuture = errors.New("token issued in the future")
	ErrLifetime       = errors.New("token lives too long")
	ErrScope          = errors.New("insufficient scope")

	ErrRevoked = rescind.ErrRevoked
	// ErrSuspended and ErrStatus are what a status list of the issuer says, or
	// that it says nothing about the token.
	ErrSuspended = errors.New("token suspended")
	ErrStatus    = errors.New("the status of the token does not allow its use")

	ErrReused = errors.New("refresh token used twice")

	// ErrStale: this node may be further behind than the policy allows.
	ErrStale = rescind.ErrStale

	// ErrNotReady: this node has not loaded its revocations, or not yet the
	// issuer's keys or status list. An error about keys is then ErrUnknownKey as
	// well, one about a list ErrStatus.
	ErrNotReady = errors.New("not ready to judge tokens")

	// ErrTooSoon: a revocation of the subject reaches further ahead than an
	// issuer may date a token. Some clock is wrong, or about to be overtaken.
	ErrTooSoon = errors.New("tokens of this subject are revoked up to a later time")
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

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

func refuse(err error, check, reason string) error {
	return &Error{Check: check, Reason: reason, Err: err}
}
