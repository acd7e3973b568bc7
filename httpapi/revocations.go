package httpapi

import (
	"net/http"
	"time"

	"rescind"
)

// maxReason bounds the reason in bytes, which goes to the audit log only.
const maxReason = 512

// revocationRequest is the body of POST /v1/revocations: a scope and an id, or
// a token.
type revocationRequest struct {
	Scope        text    `json:"scope"`
	Iss          text    `json:"iss"`
	ID           text    `json:"id"`
	IssuedBefore instant `json:"issued_before"`
	ExpiresAt    instant `json:"expires_at"`
	Reason       text    `json:"reason"`
	Token        text    `json:"token"`
	Withdraw     bool    `json:"withdraw"` // the issuer, with scope iss
}

// postRevocation revokes whatever the operator names.
func (a *API) postRevocation(w http.ResponseWriter, r *http.Request) {
	c, err := a.concernOf(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	body, err := readBody(w, r, "application/json")
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	want, err := a.parseRevocation(a.termsOf(r).issuer, body)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	receipt, confirmed, err := a.revoke(w.Header(), r, want.Revocation, c, want.reason, want.before...)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	writeReceipt(w, http.StatusCreated, receipt, confirmed)
}

// wanted is what a request asks for.
type wanted struct {
	rescind.Revocation
	before []rescind.Revocation // to be revoked first
	reason string
}

// parseRevocation reads and checks the whole request, so that a mistake is
// answered before anything is written. only is the one issuer that there is, or "".
func (a *API) parseRevocation(only string, body []byte) (wanted, error) {
	var req revocationRequest
	err := decodeStrict(body, &req)
	if err != nil {
		return wanted{}, err
	}
	if len(req.Reason.value) > maxReason {
		return wanted{}, &rescind.InvalidError{Field: "reason", Problem: "is too long; at most 512 bytes are allowed"}
	}
	want := wanted{reason: req.Reason.value}
	if req.Token.set {
		want.Revocation, want.before, err = a.byToken(&req)
	} else {
		want.Revocation, err = byName(only, &req)
	}
	if err == nil {
		_, _, err = want.Times(time.Now(), a.cfg.MaxLifetime)
	}
	return want, err
}

// byToken revokes one token by its jti, or by its derived name, until it
// expires. Its signature is checked, because an unchecked one could name any
// token of anybody.
func (a *API) byToken(req *revocationRequest) (rev rescind.Revocation, before []rescind.Revocation, err error) {
	if req.Scope.set || req.Iss.set || req.ID.set || req.IssuedBefore.set || req.ExpiresAt.set || req.Withdraw {
		return rev, nil, &rescind.InvalidError{Field: "token", Problem: "can't stand beside scope, iss, id, issued_before, expires_at or withdraw; it says all of them"}
	}
	verified, err := a.verifyToRevoke(req.Token.value)
	if err != nil && cannotKnow(err) {
		return rev, nil, rescind.ErrNotReady
	}
	if err != nil {
		return rev, nil, &rescind.InvalidError{Field: "token", Problem: "was refused: " + reasonOf(err) + "; to revoke it all the same, name its scope, iss and id"}
	}
	if expired(&verified.Token, time.Now()) {
		return rev, nil, &rescind.InvalidError{Field: "token", Problem: "has expired; it needs no revocation"}
	}
	rev = verified.This()
	return rev, inList(verified, rev), nil
}

func byName(only string, req *revocationRequest) (rescind.Revocation, error) {
	if !req.Scope.set {
		return rescind.Revocation{}, &rescind.InvalidError{Field: "scope", Problem: "is missing; name a scope and an id, or send a token"}
	}
	scope, err := rescind.ParseScope(req.Scope.value)
	if err != nil {
		return rescind.Revocation{}, &rescind.InvalidError{Field: "scope", Problem: "must be jti, sid, sub, client_id, kid or iss"}
	}
	iss, err := issuerOf(only, scope, req)
	if err != nil {
		return rescind.Revocation{}, err
	}
	rev := rescind.Revocation{
		Key:          rescind.Key{Scope: scope, Issuer: iss, ID: req.ID.value},
		IssuedBefore: req.IssuedBefore.value,
		ExpiresAt:    req.ExpiresAt.value,
		Withdraw:     req.Withdraw,
	}
	if rev.Withdraw && !req.Iss.set && !req.ID.set {
		return rev, &rescind.InvalidError{Field: "iss", Problem: "must be named where it is withdrawn"}
	}
	if req.ID.set && req.ID.value == "" {
		return rev, &rescind.InvalidError{Field: "id", Problem: "must not be empty"}
	}
	return rev, rev.Validate()
}

// issuerOf resolves the issuer: as stated, or in scope iss the id, or the only
// one configured. It never guesses between two, since the wrong guess revokes
// nothing and looks like success.
func issuerOf(only string, scope rescind.Scope, req *revocationRequest) (string, error) {
	if req.Iss.set {
		return req.Iss.value, nil
	}
	if scope == rescind.ScopeIss && req.ID.set {
		return req.ID.value, nil
	}
	if only != "" {
		return only, nil
	}
	return "", &rescind.InvalidError{Field: "iss", Problem: "is missing, and this node does not have exactly one issuer configured"}
}
