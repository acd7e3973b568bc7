package problem

import "errors"

// The errors of package token, which calls them by the same names. They are
// declared here so that the table can name them: package token uses the table.
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
	ErrIssuer         = errors.New("issuer not taken here")
	ErrScope          = errors.New("insufficient scope")

	ErrSuspended = errors.New("token suspended")
	ErrStatus    = errors.New("the status of the token does not allow its use")
	ErrReused    = errors.New("refresh token used twice")
	ErrNotReady  = errors.New("not ready to judge tokens")
	ErrTooSoon   = errors.New("tokens of this subject are revoked up to a later time")
)

// The errors of the OAuth endpoints alone.
var (
	ErrInvalidClient = errors.New("the client did not authenticate")
	ErrTooManyTries  = errors.New("too many secrets were tried from this network")
	ErrOtherClient   = errors.New("the token was issued to another client")
	ErrMayNot        = errors.New("the client may not do this")
)

// Error is a failure of a request that is described where it is found.
type Error struct {
	Kind   Kind
	Field  string // the field or parameter at fault, if it is one
	Detail string // for people, without any secret, token or identifier
}

func (e *Error) Error() string { return e.Detail }
