package token

import (
	"context"
	"errors"

	"rescind"
)

// Consumer uses up one-time tokens. *cluster.Node is one. Consume returns nil for
// the first use only; see there for what that means in each mode.
type Consumer interface {
	Consume(context.Context, rescind.Token, rescind.Mode) error
}

// Consume verifies raw like Verify, and uses it up at c: for links and tokens
// that work exactly once, those of Issuer.OneTime or any access token. Only where
// it returns nil may the caller do what the token is for. A token that was used before is ErrConsumed rather than
// ErrRevoked, as long as it has not expired. The error matches ErrUndecided or
// ErrStrictOff where mode is rescind.Strict and nobody can tell; Status makes it
// a 503, and a used token a 409. Safe for concurrent use.
func (v *Verifier) Consume(ctx context.Context, c Consumer, raw string, mode rescind.Mode) (*Verified, error) {
	verified, err := v.VerifyOneTime(raw)
	if err != nil {
		return nil, err
	}
	if v.config.Checker != nil {
		names, n := verified.aliases() // which only we know
		for _, name := range names[:n] {
			if v.config.Checker.Check(name) == rescind.Revoked {
				return nil, verdictError(rescind.Revoked, false)
			}
		}
	}
	if err := c.Consume(ctx, verified.Token, mode); err != nil {
		return nil, consumeError(err)
	}
	return verified, nil
}

// VerifyOneTime verifies raw as Consume does before it asks whether the token was used
// or revoked: what fails here can't be used. It uses nothing up.
func (v *Verifier) VerifyOneTime(raw string) (*Verified, error) {
	return v.verify(raw, rules{ignoreRevocation: true, checkStatus: true, types: []string{TypeOneTime}})
}

// Why a one-time token could not be used, for errors.Is.
var (
	ErrConsumed  = rescind.ErrConsumed
	ErrUndecided = rescind.ErrUndecided
	ErrStrictOff = rescind.ErrStrictOff
)

func consumeError(err error) error {
	switch {
	case errors.Is(err, rescind.ErrConsumed):
		return refuse(ErrConsumed, "use", "the token has been used before")
	case errors.Is(err, rescind.ErrUndecided):
		return refuse(ErrUndecided, "use", "whether this is the first use could not be decided in time; the token may be used up now")
	case errors.Is(err, rescind.ErrStrictOff):
		return refuse(ErrStrictOff, "use", "strict one-time tokens are not configured here; use mode available, or set one-time.strict")
	case errors.Is(err, rescind.ErrRevoked):
		return verdictError(rescind.Revoked, false)
	case errors.Is(err, rescind.ErrStale):
		return errStale
	case errors.Is(err, rescind.ErrNotReady):
		return verdictError(rescind.Unknown, false)
	default:
		return err
	}
}
