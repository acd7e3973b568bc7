package httpapi

import (
	"errors"
	"net/http"

	"rescind"
	"rescind/token"
)

// realm names the protected area in the challenges of bearer endpoints.
const realm = "rescind"

// verifyFresh judges raw as freshly as the headers of r ask for.
func (a *API) verifyFresh(r *http.Request, raw string) (*token.Verified, error) {
	fresh := token.Freshness{}.Tighten(r.Header[token.VersionHeader], r.Header[token.MaxStalenessHeader])
	return a.cfg.Verifier.VerifyFresh(r.Context(), raw, fresh)
}

// verifyForLogout judges the access token of r by the node's policy alone, save that a stale node still lets its
// caller log out: that it may have missed another revocation, or has not got the
// issuer's status list, is no reason to refuse this one, and refusing it would
// leave the user logged in during a partition.
func (a *API) verifyForLogout(r *http.Request) (*token.Verified, error) {
	raw, err := token.Bearer(r)
	if err != nil {
		return nil, err
	}
	verified, err := a.cfg.Verifier.Verify(raw)
	if errors.Is(err, token.ErrStale) || errors.Is(err, token.ErrNotReady) && errors.Is(err, token.ErrStatus) {
		return a.cfg.Verifier.VerifyToRevoke(raw, token.Inspection{})
	}
	return verified, err
}

// verifyToRevoke checks the signature and issuer of a token that is to be
// revoked: an access or refresh token, revoked already or not, save by its key or
// issuer. One that has
// expired here may still pass a verifier whose leeway is larger, and one that is
// meant for another audience passes the verifiers of that.
func (a *API) verifyToRevoke(raw string) (*token.Verified, error) {
	return a.cfg.Verifier.VerifyToRevoke(raw, token.Inspection{AllowExpired: true, Types: []string{token.TypeRefresh}, AnyAudience: true})
}

// resultOf says as what the failure of a check counts.
func resultOf(err error) result {
	_, malformed := errors.AsType[*rescind.InvalidError](err)
	switch {
	case malformed:
		return resultMalformed
	case errors.Is(err, token.ErrNoToken), errors.Is(err, token.ErrRequest):
		return resultMissing
	case errors.Is(err, token.ErrRevoked):
		return resultRevoked
	case errors.Is(err, token.ErrStale):
		return resultStale
	case errors.Is(err, rescind.ErrBehind), errors.Is(err, rescind.ErrBusy):
		return resultBehind
	case cannotKnow(err):
		return resultUnknown
	case errors.Is(err, token.ErrExpired):
		return resultExpired
	case errors.Is(err, token.ErrScope), errors.Is(err, token.ErrIssuer):
		return resultScope
	default:
		return resultInvalid
	}
}

// cannotKnow reports whether err says nothing about the token, only about the
// node: a 401 or an "inactive" would be a guess.
func cannotKnow(err error) bool {
	return token.Status(err) == http.StatusServiceUnavailable
}

// tooEarly reports whether a token is genuine and will be acceptable later.
func tooEarly(err error) bool {
	return errors.Is(err, token.ErrNotYetValid) || errors.Is(err, token.ErrIssuedInFuture)
}

// reasonOf says why a token was refused, without any part of it.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*token.Error](err); ok {
		return e.Reason
	}
	return "the token is not acceptable"
}
