package httpapi

import (
	"net/http"

	"rescind"
	"rescind/token"
)

// endSession logs out the device that the token belongs to: its session, or
// the token alone if it has none.
func (a *API) endSession(w http.ResponseWriter, r *http.Request) {
	a.logout(w, r, func(v *token.Verified) (rescind.Revocation, error) {
		return v.Session(), nil
	})
}

// endSessions logs out everywhere: whatever the token's subject was issued up
// to now.
func (a *API) endSessions(w http.ResponseWriter, r *http.Request) {
	a.logout(w, r, func(v *token.Verified) (rescind.Revocation, error) {
		if v.Token.Subject == "" {
			return rescind.Revocation{}, &rescind.InvalidError{Field: "sub", Problem: "is missing in this token, which names no account to log out; use DELETE /v1/session"}
		}
		return v.Subject(), nil
	})
}

// logout revokes what pick makes of the caller's own token.
func (a *API) logout(w http.ResponseWriter, r *http.Request, pick func(*token.Verified) (rescind.Revocation, error)) {
	if !a.anonymous(w, r) {
		return
	}
	verified, err := a.verifyForLogout(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	c, err := a.concernOf(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	rev, err := pick(verified)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	receipt, confirmed, err := a.revoke(w.Header(), r, rev, c, "", inList(verified, rev)...)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	writeReceipt(w, http.StatusOK, receipt, confirmed)
}
