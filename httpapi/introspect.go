package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/token"
)

// introspection is the answer of RFC 7662 for a token that is acceptable right
// now. Its members are the token's own.
type introspection struct {
	Active    bool           `json:"active"`
	Scope     string         `json:"scope,omitempty"`
	ClientID  string         `json:"client_id,omitempty"`
	Username  string         `json:"username,omitempty"`
	TokenType string         `json:"token_type"`
	Exp       int64          `json:"exp,omitzero"`
	Iat       int64          `json:"iat,omitzero"`
	Nbf       int64          `json:"nbf,omitzero"`
	Sub       string         `json:"sub,omitempty"`
	Aud       jsontext.Value `json:"aud,omitzero"` // a string or an array, as in the token
	Iss       string         `json:"iss"`
	Jti       string         `json:"jti,omitempty"`
	Sid       string         `json:"sid,omitempty"`
}

// inactive has no other member: section 2.2 lets nobody learn why.
type inactive struct {
	Active bool `json:"active"`
}

// introspect is RFC 7662. It is for the operator's services only, so that
// nobody can scan for live tokens. Where the node can't know whether a token
// is revoked it answers 503: both other answers might be wrong. Its caller may
// ask for freshness by the same headers as at /v1/check.
func (a *API) introspect(w http.ResponseWriter, r *http.Request) {
	w.Header()["Pragma"] = pragma
	if !a.admin.on {
		writeOAuthError(w, http.StatusForbidden, "access_denied", "introspection is off: this node was started without an admin token")
		return
	}
	if challenge, ok := a.admitted(r); !ok {
		w.Header().Set("WWW-Authenticate", challenge)
		writeOAuthError(w, http.StatusUnauthorized, "invalid_client", "the admin token is needed, once, as Authorization: Bearer")
		return
	}
	form, err := oauthForm(w, r)
	if err != nil {
		a.refuseOAuth(w, err)
		return
	}
	verified, err := a.verifyFresh(r, form.Get("token"))
	if err != nil {
		a.answerInactive(w, err)
		return
	}
	writeJSON(w, http.StatusOK, introspectionOf(verified))
}

func (a *API) answerInactive(w http.ResponseWriter, err error) {
	if invalid, ok := errors.AsType[*rescind.InvalidError](err); ok {
		a.refuseOAuth(w, &badRequest{kind: kindInvalid, field: invalid.Field, detail: invalid.Error()})
		return
	}
	if cannotKnow(err) {
		a.refuseOAuth(w, rescind.ErrNotReady)
		return
	}
	writeJSON(w, http.StatusOK, inactive{})
}

// extraClaims are those that a check does not need. They are decoded without a
// type: a claim of an odd type is no reason to call a good token inactive.
type extraClaims struct {
	Scope    any            `json:"scope"`
	Username any            `json:"username"`
	Nbf      any            `json:"nbf"`
	Aud      jsontext.Value `json:"aud"`
}

func introspectionOf(v *token.Verified) introspection {
	t := &v.Token
	out := introspection{
		Active:    true,
		ClientID:  t.ClientID,
		TokenType: "Bearer",
		Exp:       int64(t.ExpiresAt) / 1000,
		Iat:       int64(t.IssuedAt) / 1000,
		Sub:       t.Subject,
		Iss:       t.Issuer,
		Sid:       t.Session,
	}
	if !strings.HasPrefix(t.ID, rescind.DerivedIDPrefix) {
		out.Jti = t.ID
	}
	var extra extraClaims
	if v.Decode(&extra) == nil {
		out.Scope, _ = extra.Scope.(string)
		out.Username, _ = extra.Username.(string)
		if nbf, ok := extra.Nbf.(float64); ok {
			out.Nbf = int64(nbf)
		}
		out.Aud = extra.Aud
	}
	return out
}
