package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"rescind"
	"rescind/httpapi/dashboard"
	"rescind/internal/problem"
	"rescind/token"
)

// front serves / where the admin endpoints are: the dashboard to browsers, and
// the index to programs and where nobody could sign in.
func (f *face) front(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	_, here := f.routes[dashboardPath]
	if here && f.api.termsOf(r).admins.on && strings.Contains(r.Header.Get("Accept"), "text/html") {
		f.api.dashboard.ServeHTTP(w, r)
		return
	}
	f.index(w, r)
}

// Attempts to sign in from one address: two a second, and five at once.
const (
	signInRate  = 2
	signInBurst = 5
)

func (a *API) newDashboard() *dashboard.Dashboard {
	a.signIns = newLimit(signInRate, new(limitStats))
	a.signIns.burst = signInBurst
	return dashboard.New(dashboard.Config{
		Node: a.cfg.Node, Version: a.cfg.Version, Links: a.cfg.Links, Logger: a.log,
		Draining: a.draining.Load, Drained: a.drained, Certificates: a.cfg.Certificates,
		Admit: a.admit, Revoke: a.revokeForm, Explain: a.cfg.Verifier.Explain,
	})
}

// admit tells the dashboard whose admin token secret is, and goes on telling:
// when the token is taken away, the session ends.
func (a *API) admit(r *http.Request, secret string) (dashboard.Operator, error) {
	if !a.signIns.allow(network(a.remote(r))) {
		return dashboard.Operator{}, dashboard.ErrTooMany
	}
	admin, ok := a.termsOf(r).admins.find(secret)
	if !ok {
		a.adminRefusal(r)
		return dashboard.Operator{}, dashboard.ErrNoOperator
	}
	return dashboard.Operator{Name: admin.name, Still: func() bool { return a.rules.Load().admins.still(admin) }}, nil
}

// revokeForm revokes what an operator has named in the dashboard, by the rules
// of POST /v1/revocations.
func (a *API) revokeForm(r *http.Request, operator string, f dashboard.Form) (dashboard.Revoked, error) {
	if !a.termsOf(r).adminLimit.allow(operator) {
		return dashboard.Revoked{}, errors.New("that was too often; wait a second")
	}
	if len(f.Reason) > maxReason {
		return dashboard.Revoked{}, &rescind.InvalidError{Field: "reason", Problem: "is too long; at most 512 bytes are allowed"}
	}
	rev, before, err := a.namedBy(a.termsOf(r).issuer, f)
	if err == nil {
		_, _, err = rev.Times(time.Now(), a.cfg.MaxLifetime)
	}
	if err != nil {
		return dashboard.Revoked{}, err
	}
	r = withCaller(r, operator)
	r = r.WithContext(rescind.AsAdministrator(r.Context()))
	receipt, confirmed, err := a.revoke(http.Header{}, r, rev, concern{f.Ack, a.wait(f.Ack)}, f.Reason, before...)
	if err != nil {
		_, detail := problem.Describe(err)
		return dashboard.Revoked{}, errors.New(detail)
	}
	return dashboard.Revoked{Receipt: receipt, Confirmed: confirmed}, nil
}

// namedBy resolves a form: by name as in the API, where only is the issuer that
// may be left out, or by that claim of a token that the scope matches. before is as
// in revoke.
func (a *API) namedBy(only string, f dashboard.Form) (rev rescind.Revocation, before []rescind.Revocation, err error) {
	if f.Token == "" {
		set := func(s string) text { return text{s, s != ""} }
		rev, err = byName(only, &revocationRequest{Scope: set(f.Scope.String()), Iss: set(f.Issuer), ID: set(f.ID)})
		return rev, nil, err
	}
	verified, err := a.verifyToRevoke(f.Token)
	switch {
	case err != nil && cannotKnow(err):
		return rev, nil, rescind.ErrNotReady
	case err != nil:
		return rev, nil, &rescind.InvalidError{Field: "token", Problem: "was refused: " + reasonOf(err) + "; to revoke all the same, name the identifier and its issuer"}
	case f.Scope == rescind.ScopeJTI && expired(&verified.Token, time.Now()):
		return rev, nil, &rescind.InvalidError{Field: "token", Problem: "has expired; it needs no revocation"}
	}
	if rev, err = revocationBy(verified, f.Scope); err != nil || expired(&verified.Token, time.Now()) {
		return rev, nil, err
	}
	return rev, inList(verified, rev), nil
}

// revocationBy returns the revocation of one claim of a token.
func revocationBy(v *token.Verified, scope rescind.Scope) (rescind.Revocation, error) {
	switch scope {
	case rescind.ScopeJTI:
		return v.This(), nil
	case rescind.ScopeSub:
		return v.Subject(), nil
	}
	rev := rescind.Revocation{Key: rescind.Key{Scope: scope, Issuer: v.Token.Issuer, ID: v.Token.Value(scope)}}
	if rev.ID == "" {
		return rev, &rescind.InvalidError{Field: "token", Problem: "has no " + scope.String() + "; choose something else to revoke"}
	}
	return rev, nil
}
