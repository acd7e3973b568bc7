package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"rescind"
	"rescind/token"
)

// consumeTimeout bounds a use. A use of which the caller hears nothing may have
// happened, so it is not cut short because the client has gone.
const consumeTimeout = 5 * time.Second

// consumeRequest is the body of POST /v1/tokens/consume.
type consumeRequest struct {
	Token text `json:"token"` // may be left out where it is the bearer
	Mode  text `json:"mode"`
}

// consumed says whose token was used, for the caller to act on.
type consumed struct {
	Mode      string    `json:"mode"`
	Issuer    string    `json:"iss"` // a sub is somebody else's at each issuer
	TokenID   string    `json:"jti,omitempty"`
	Subject   string    `json:"sub,omitempty"`
	Session   string    `json:"sid,omitempty"`
	ClientID  string    `json:"client_id,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

// consumeToken uses up a one-time token: that of the caller, who sends it as
// the bearer, or any if the caller is an operator.
func (a *API) consumeToken(w http.ResponseWriter, r *http.Request) {
	if !a.mayConsume(w, r) {
		return
	}
	var req consumeRequest
	body, err := readBody(w, r, "application/json")
	if err == nil {
		err = decodeStrict(body, &req)
	}
	var mode rescind.Mode
	if err == nil {
		mode, err = rescind.ParseMode(req.Mode.value)
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	bearer, err := token.Bearer(r)
	if err == nil && (!req.Token.set || req.Token.value == bearer) {
		a.consume(w, r, bearer, mode)
		return
	}
	a.adminOnly(func(w http.ResponseWriter, r *http.Request) { a.consume(w, r, req.Token.value, mode) })(w, r)
}

// mayConsume reports whether what the headers of r say may be enough; otherwise it has
// answered, and the body is not read: nothing in it would change that.
func (a *API) mayConsume(w http.ResponseWriter, r *http.Request) bool {
	bearer, err := token.Bearer(r)
	if _, _, ok := a.admitted(r); ok {
		return true
	}
	if err != nil {
		a.adminOnly(func(http.ResponseWriter, *http.Request) {})(w, r)
		return false
	}
	if terms := a.termsOf(r); terms.operators {
		if _, err := a.scoped(r, terms.admins.scope); err == nil || cannotKnow(err) {
			return true // adminOnly answers, with 503 where this node cannot know
		}
	}
	if _, err = a.cfg.Verifier.VerifyOneTime(bearer); err != nil {
		if errors.Is(err, token.ErrMalformed) {
			a.adminRefusal(r) // it may be a guess at the admin token
		}
		a.refuse(w, r, err)
	}
	return err == nil
}

func (a *API) consume(w http.ResponseWriter, r *http.Request, raw string, mode rescind.Mode) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), consumeTimeout)
	defer cancel()
	v, err := a.cfg.Verifier.Consume(ctx, a.cfg.Node, raw, mode)
	if status := token.Status(err); status != http.StatusUnauthorized && status != http.StatusConflict { // those are noise, and anybody can make it
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "one-time token", slog.String("endpoint", r.Pattern),
			slog.String("remote", a.remote(r)), slog.String("mode", mode.String()), slog.Int("status", status))
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	out := consumed{
		Mode: mode.String(), Issuer: v.Token.Issuer, Subject: v.Token.Subject, Session: v.Token.Session, ClientID: v.Token.ClientID,
		ExpiresAt: v.Token.ExpiresAt.Time(),
	}
	if !strings.HasPrefix(v.Token.ID, rescind.DerivedIDPrefix) {
		out.TokenID = v.Token.ID
	}
	writeJSON(w, http.StatusOK, out)
}
