package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/internal/problem"
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

// introspect is RFC 7662. It is for the operator and for clients with the right,
// so that nobody can scan for live tokens. Where the node can't know whether a token
// is revoked it answers 503: both other answers might be wrong. Its caller may
// ask for freshness by the same headers as at /v1/check.
func (a *API) introspect(w http.ResponseWriter, r *http.Request) {
	w.Header()["Pragma"] = pragma
	terms := a.termsOf(r)
	if terms.clients == nil && !terms.operators {
		problem.WriteOAuthError(w, http.StatusForbidden, "access_denied", "introspection is off here: this node has no clients, and operators may ask at the listener of the admin endpoints only")
		return
	}
	if terms.clients == nil && !terms.admins.on {
		problem.WriteOAuthError(w, http.StatusForbidden, "access_denied", "introspection is off: this node was started without an admin token and without clients")
		return
	}
	form, caller, ok := a.introspector(w, r)
	if !ok {
		return
	}
	answer, err := a.answerFormat(r)
	if err != nil {
		problem.Accept.Write(w, err.Error())
		return
	}
	verified, err := a.verifyFresh(r, form.Get("token"))
	switch {
	case err == nil && caller.forIt(verified):
		answer(w, r, caller.name, introspectionOf(verified))
	case err != nil && saysNothing(err):
		a.refuseOAuth(w, r, err)
	default:
		answer(w, r, caller.name, inactive{})
	}
}

// introspecting is who asks.
type introspecting struct {
	name     string
	audience []string // see Client.Audience; empty for operators
}

// forIt reports whether a token is meant for who asks, as far as that is known.
func (c introspecting) forIt(verified *token.Verified) bool {
	return len(c.audience) == 0 || overlap(verified.Audience, c.audience)
}

// introspector returns the form and who asks, if it may; otherwise it has answered. An operator is known by a header, and of any other the body is
// not read.
func (a *API) introspector(w http.ResponseWriter, r *http.Request) (form url.Values, caller introspecting, ok bool) {
	_, _, basic := r.BasicAuth()
	headers := len(r.Header["Authorization"])
	terms := a.termsOf(r)
	_, uncertified := terms.certified(r)
	asClient := terms.clients != nil && (uncertified != nil || headers > 0) && (headers == 0 || headers == 1 && basic)
	if !asClient {
		var challenge string
		if caller.name, challenge, ok = a.admitted(r); !ok {
			a.adminRefusal(r)
			w.Header().Set("WWW-Authenticate", challenge)
			needed := "the admin token is needed, once, as Authorization: Bearer"
			if !terms.operators {
				needed = "the client must authenticate, by HTTP Basic or in the form"
			}
			problem.WriteOAuthError(w, http.StatusUnauthorized, "invalid_client", needed)
			return nil, caller, false
		}
	}
	var err error
	if asClient {
		err = terms.clients.early(r, network(a.remote(r)))
	}
	if err == nil {
		form, err = oauthForm(w, r, "token")
	}
	if err == nil && asClient {
		caller, err = a.introspectingClient(r, form)
	}
	if err != nil {
		a.refuseOAuth(w, r, err)
	}
	return form, caller, err == nil
}

func (a *API) introspectingClient(r *http.Request, form url.Values) (introspecting, error) {
	client, err := a.termsOf(r).clients.authenticate(r, network(a.remote(r)), form)
	switch {
	case err != nil:
		return introspecting{}, err
	case client == nil:
		return introspecting{}, problem.ErrInvalidClient
	case !client.Introspect:
		return introspecting{}, problem.ErrMayNot
	}
	return introspecting{client.ID, client.Audience}, nil
}

// saysNothing reports whether err is about the node or the request, so that
// "inactive" would be a guess.
func saysNothing(err error) bool {
	_, invalid := errors.AsType[*rescind.InvalidError](err)
	return invalid || cannotKnow(err)
}

// extraClaims are those that a check does not need. They are decoded without a
// type: a claim of an odd type is no reason to call a good token inactive.
type extraClaims struct {
	Exp      any            `json:"exp"`
	Iat      any            `json:"iat"`
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
		out.Exp, out.Iat, out.Nbf = seconds(extra.Exp), seconds(extra.Iat), seconds(extra.Nbf)
		out.Aud = extra.Aud
	}
	return out
}

// seconds returns a NumericDate rounded down, or 0 if there is none. The verifier
// has judged the token's times by then.
func seconds(claim any) int64 {
	n, _ := claim.(float64)
	return int64(n)
}
