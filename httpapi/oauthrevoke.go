package httpapi

import (
	"errors"
	"net/http"
	"time"

	"rescind"
	"rescind/internal/problem"
	"rescind/token"
)

// oauthRevoke is RFC 7009. A client that has a secret must authenticate, and can
// revoke only what was issued to it; for others possession of the token is
// enough. A refresh token
// takes its whole session with it, so that the access tokens of the same grant
// end, too (section 2.1); an access token only itself. The answer is 200 also
// for tokens that are unknown, forged or expired: there is nothing left for
// the client to do about them, and nothing for a stranger to learn.
func (a *API) oauthRevoke(w http.ResponseWriter, r *http.Request) {
	w.Header()["Pragma"] = pragma
	clients := a.termsOf(r).clients
	if err := clients.early(r, network(a.remote(r))); err != nil {
		a.refuseOAuth(w, r, err)
		return
	}
	form, err := oauthForm(w, r, "token")
	if err != nil {
		a.refuseOAuth(w, r, err)
		return
	}
	client, err := clients.authenticate(r, network(a.remote(r)), form)
	if err != nil {
		a.refuseOAuth(w, r, err)
		return
	}
	if client != nil {
		r = withCaller(r, client.ID)
	}
	if (client == nil || client.public()) && !a.anonymous(w, r) {
		return
	}
	// token_type_hint is ignored: the token says what it is, and a wrong hint
	// must change nothing.
	verified, err := a.verifyToRevoke(form.Get("token"))
	if err != nil {
		a.answerUnverified(w, r, err)
		return
	}
	if expired(&verified.Token, time.Now()) {
		w.WriteHeader(http.StatusOK)
		return
	}
	if err := clients.owns(client, form.Get("client_id"), verified.Token.ClientID); err != nil {
		a.refuseOAuth(w, r, err)
		return
	}
	rev := ofKind(verified)
	if _, _, err := a.revoke(w.Header(), r, rev, concern{rescind.AckDefault, a.cfg.AckTimeout}, "", inList(verified, rev)...); err != nil {
		a.refuseOAuth(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// owns returns nil if client, or whoever calls itself claimed, may revoke a token
// that was issued to owner, which is "" where the token does not say.
func (c *clients) owns(client *Client, claimed, owner string) error {
	switch {
	case client != nil:
		claimed = client.ID
	case c.mustProve(owner):
		return problem.ErrInvalidClient
	}
	if claimed != "" && owner != "" && claimed != owner {
		return problem.ErrOtherClient
	}
	return nil
}

// pragma keeps HTTP/1.0 caches out, as RFC 6749 asks of token endpoints.
var pragma = []string{"no-cache"}

func ofKind(v *token.Verified) rescind.Revocation {
	if v.Type == token.TypeRefresh {
		return v.Session()
	}
	return v.This()
}

// answerUnverified answers 200 for a token that is not accepted, 400 for a genuine
// one of another type (section 2.2.1), and 503 where
// the node can't tell yet or the token has yet to become valid: a 200 would
// promise that it never does.
func (a *API) answerUnverified(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case cannotKnow(err) || tooEarly(err):
		a.refuseOAuth(w, r, rescind.ErrNotReady)
		return
	case errors.Is(err, token.ErrType): // genuine, but an ID token, say
		a.refuseOAuth(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// expired reports whether t can be accepted nowhere any more, whatever leeway
// a verifier has: only then may a revocation be dropped.
func expired(t *rescind.Token, now time.Time) bool {
	return t.ExpiresAt.Add(rescind.MaxLeeway) <= rescind.MillisOf(now)
}
