package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"

	"rescind"
	"rescind/httpapi/ssf"
	"rescind/internal/problem"
	"rescind/token"
)

// backchannelLogout is OpenID Connect Back-Channel Logout 1.0: the provider tells
// us that a session, or everything of a subject, has ended. A logout token works
// once in the whole cluster, where its jti is kept as if it were a token. The
// logout comes first, so that a provider that is told to try again still can.
func (a *API) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header()["Pragma"] = pragma
	rules := a.termsOf(r).rules
	if len(rules.logoutAudience) == 0 {
		problem.WriteOAuthError(w, http.StatusForbidden, "access_denied", "this node is configured with no audience of logout tokens")
		return
	}
	form, err := oauthForm(w, r, "logout_token")
	if err != nil {
		a.refuseOAuth(w, r, err)
		return
	}
	verified, err := a.verifyLogoutToken(rules, form.Get("logout_token"))
	if err != nil {
		a.refuseLogout(w, r, err)
		return
	}
	used := usedLogout(verified)
	if _, busy := a.logouts.LoadOrStore(used.Key, true); busy {
		a.refuseLogout(w, r, errUsed)
		return
	}
	defer a.logouts.Delete(used.Key)
	err = a.unused(used.Key)
	r = withOrigin(r, ssf.Origin{Issuer: verified.Token.Issuer, Txn: verified.Token.ID})
	for _, rev := range []rescind.Revocation{logoutOf(verified), used} {
		if err == nil {
			_, _, err = a.revoke(w.Header(), r, rev, concern{rescind.AckDefault, a.cfg.AckTimeout}, "back-channel logout")
		}
	}
	if err != nil {
		a.refuseLogout(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// usedLogout records that a logout token was used. Its name is made of its jti, but
// is none that a token can have: providers may give an access token the same.
func usedLogout(verified *token.Verified) rescind.Revocation {
	sum := sha256.Sum256([]byte("logout token " + verified.Token.ID))
	used := verified.This()
	used.ID = rescind.DerivedIDPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
	return used
}

var errUsed = &problem.Error{Kind: problem.Malformed, Detail: "the logout token was used before"}

// unused returns nil if no logout token of this name has been used, as far as
// this node can know.
func (a *API) unused(jti rescind.Key) error {
	switch a.cfg.Node.Check(rescind.Token{Issuer: jti.Issuer, ID: jti.ID}) {
	case rescind.Revoked:
		return errUsed
	case rescind.Unknown:
		return rescind.ErrNotReady
	}
	return nil // Stale, too: a replay does no harm, a logout that is refused does
}

// refuseLogout answers as section 2.8 says, save that what is not the token's
// fault is a 503: a provider tries that again.
func (a *API) refuseLogout(w http.ResponseWriter, r *http.Request, err error) {
	if invalid, ok := errors.AsType[*rescind.InvalidError](err); ok {
		err = &problem.Error{Kind: problem.Malformed, Detail: "the logout token can not be acted upon: " + invalid.Error()}
	}
	a.refuseOAuth(w, r, err)
}
