package rescind

import "errors"

// Errors that callers can tell apart with errors.Is.
var (
	// ErrFull: the node holds its configured maximum of live revocations. It
	// never evicts one to make room.
	ErrFull = errors.New("revocation limit reached")

	// ErrStoreFull: the store that the cluster shares has no room. It comes with an
	// ErrFull.
	ErrStoreFull = errors.New("the store of revocations is full")

	// ErrNotReady: the node has not loaded and synchronised yet.
	ErrNotReady = errors.New("node not ready")

	// ErrUnavailable: the store of revocations does not answer, or has failed, so
	// that nothing can be made durable. Trying again is harmless.
	ErrUnavailable = errors.New("the store of revocations does not answer")

	// ErrClosed: the node is leaving or closed and takes no new revocations.
	ErrClosed = errors.New("node closed")

	// ErrIsolated: the node has heard from no peer for longer than allowed and
	// is configured to refuse revocations then.
	ErrIsolated = errors.New("node isolated from its peers")

	// ErrUnconfirmed: the revocation is durable on the accepting node and goes
	// on spreading, but fewer nodes than asked for acknowledged it in time.
	ErrUnconfirmed = errors.New("fewer nodes acknowledged in time than asked for")

	// ErrBehind: the node did not come to hold a version in time. It says
	// nothing about any token.
	ErrBehind = errors.New("this node does not hold that version yet")

	// ErrConsumed: the one-time token has been used before.
	ErrConsumed = errors.New("token used before")

	// ErrRevoked: the token has been revoked, or its session, subject, client,
	// key or issuer.
	ErrRevoked = errors.New("token revoked")

	// ErrStale: the node may be further behind than its policy allows.
	ErrStale = errors.New("revocations may be out of date")

	// ErrUndecided: the store that decides about strict one-time tokens did not
	// say in time whether this use is the first. The token may be used up now,
	// with no winner.
	ErrUndecided = errors.New("whether the token has been used could not be decided in time")

	// ErrStrictOff: the node is not configured for strict one-time tokens.
	ErrStrictOff = errors.New("strict one-time tokens are not configured")

	// ErrBusy: as many callers as are allowed wait for versions already.
	ErrBusy = errors.New("too many callers wait for versions")
)

// InvalidError says which field of a request is wrong and how. It never
// repeats a secret or a token.
type InvalidError struct {
	Field   string // as in the HTTP contract, e.g. "expires_at"
	Problem string // completes the sentence "<field> ..."
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Problem }
