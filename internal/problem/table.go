// Package problem says what clients are told of each error: the type, title and
// status of an RFC 9457 problem, after how long to try again, the codes of RFC 6750
// and RFC 6749, and the code of gRPC.
//
// It guarantees that all interfaces tell the same of the same error, because they
// share one table, and that each sentinel of the module that a client can meet has
// a row: a test reads the sources for them. What has no row is an internal error,
// whose words stay in the log. Answers hold no secret, token or identifier.
package problem

import (
	"context"
	"errors"

	"rescind"
)

// row is what an error means to clients.
type row struct {
	err  error
	kind Kind
}

// table is asked from top to bottom, so that of an error that wraps several the
// first counts. Reuse of a refresh token stands above all, because it ends the
// session also where saying so failed; then come failures of the node, which say
// nothing about the token, however the token looks.
var table = []row{
	{ErrReused, Token},

	{rescind.ErrStale, Stale},
	{rescind.ErrUndecided, Undecided},
	{rescind.ErrBehind, Behind},
	{rescind.ErrBusy, Busy},
	{rescind.ErrStoreFull, FullStore},
	{rescind.ErrFull, Full},
	{rescind.ErrClosed, Closing},
	{rescind.ErrIsolated, Isolated},
	{rescind.ErrUnavailable, Unstored},
	{rescind.ErrNotReady, NotReady},
	{ErrNotReady, CannotKnow},
	{ErrTooSoon, CannotKnow},
	{context.DeadlineExceeded, Timeout},
	{context.Canceled, Timeout},

	{rescind.ErrConsumed, Consumed},
	{rescind.ErrStrictOff, StrictOff},
	{ErrRequest, Header},
	{ErrInvalidClient, InvalidClient},
	{ErrTooManyTries, TooMany},
	{ErrOtherClient, OtherClient},
	{ErrMayNot, MayNot},
	{ErrIssuer, OtherIssuer},
	{ErrScope, Scope},

	{ErrNoToken, NoToken},
	{ErrType, OtherType},
	{rescind.ErrRevoked, Token},
	{ErrMalformed, Token},
	{ErrTooLarge, Token},
	{ErrAlgorithm, Token},
	{ErrUnknownKey, Token},
	{ErrSignature, Token},
	{ErrDecryption, Token},
	{ErrClaims, Token},
	{ErrUnknownIssuer, Token},
	{ErrAudience, Token},
	{ErrExpired, Token},
	{ErrNotYetValid, Token},
	{ErrIssuedInFuture, Token},
	{ErrLifetime, Token},
	{ErrSuspended, Token},
	{ErrStatus, Token},

	{rescind.ErrUnconfirmed, Unconfirmed},
}

// Of returns what clients are told of err: Success for nil.
func Of(err error) Kind {
	if err == nil {
		return Success
	}
	if described, ok := errors.AsType[*Error](err); ok {
		return described.Kind
	}
	for i := range table {
		if errors.Is(err, table[i].err) {
			return table[i].kind
		}
	}
	if _, invalid := errors.AsType[*rescind.InvalidError](err); invalid {
		return InvalidField
	}
	if _, denied := errors.AsType[denial](err); denied {
		return Token
	}
	return Unexpected
}

// denial is an error about a token that has words for its holder, which hold
// nothing of the token: *token.Error.
type denial interface {
	error
	// ProblemDetail returns why, in printable ASCII without quotes, and which scopes
	// are required, if they are missing.
	ProblemDetail() (reason, scope string)
}

// Describe returns the words for a client about err, and the field that is at
// fault, if it is one. They never come from an error that may quote the request.
func Describe(err error) (field, detail string) {
	if described, ok := errors.AsType[*Error](err); ok {
		return described.Field, described.Detail
	}
	if denied, ok := errors.AsType[denial](err); ok {
		reason, _ := denied.ProblemDetail()
		return "", reason
	}
	kind := Of(err)
	if invalid, ok := errors.AsType[*rescind.InvalidError](err); ok && kind == InvalidField {
		return invalid.Field, invalid.Error()
	}
	return "", kind.Detail
}
