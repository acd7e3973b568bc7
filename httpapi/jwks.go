package httpapi

import (
	"net/http"
	"strconv"

	"rescind/internal/problem"
)

// jwks publishes the keys of a local issuer (RFC 7517). They are public, and
// verifiers may keep them for a minute: longer, and a verifier behind a cache
// would refuse tokens for that long after a key has been rotated.
func (a *API) jwks(w http.ResponseWriter, r *http.Request) {
	jwks := a.termsOf(r).jwks
	if jwks == nil {
		problem.NotFound.Write(w, "this node publishes no keys")
		return
	}
	set, err := jwks()
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=60")
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Content-Length", strconv.Itoa(len(set)))
	w.Write(set)
}
