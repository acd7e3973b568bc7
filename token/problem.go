package token

import (
	"net/http"

	"rescind/internal/problem"
)

// Status returns the HTTP status for an error of this package, or of a node: 401
// for a token that may not be used, 403 for one that is not enough for the route,
// 409 for a one-time token that was used before, 503 where this node can't know or
// can't promise, 400 for a malformed request, 500 for what is none of these. It is
// 202 for rescind.ErrUnconfirmed, because the revocation stands, and 200 for nil.
func Status(err error) int { return problem.Of(err).Status }

// Challenge returns the WWW-Authenticate header for err (RFC 6750 section 3),
// or "" if its Status calls for none. An empty realm is left out; quotes,
// backslashes and what is not printable ASCII are dropped from it.
func Challenge(err error, realm string) string { return problem.Challenge(err, realm) }

// WriteError answers a request with err: its Status, its Challenge and a
// problem+json body, and Retry-After where trying again may help. err must not
// be nil. Only an *Error or a *rescind.InvalidError is described to the client by
// its own words.
func WriteError(w http.ResponseWriter, err error, realm string) { problem.Write(w, err, realm) }
