package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"rescind"
)

// eventError is the body of an error of RFC 8935.
type eventError struct {
	Err         string `json:"err"`
	Description string `json:"description"`
}

// receiveEvent takes a security event that a transmitter pushes (RFC 8935; Shared
// Signals, CAEP, RISC) and revokes what it ends. It answers 202 once that is
// durable, and for events that end nothing, too. An event that comes again is
// harmless and answered alike.
func (a *API) receiveEvent(w http.ResponseWriter, r *http.Request) {
	rules := a.termsOf(r).rules
	if len(rules.eventAudience) == 0 {
		writeJSON(w, http.StatusForbidden, eventError{"access_denied", "this node is configured with no audience of security events"})
		return
	}
	body, err := readBody(w, r, "application/secevent+jwt")
	if err != nil {
		a.refuseEvent(w, err)
		return
	}
	revocations, err := a.verifyEvents(rules, strings.TrimSpace(string(body)))
	for _, rev := range revocations {
		if err == nil {
			_, _, err = a.revoke(w.Header(), r, rev, concern{rescind.AckDefault, a.cfg.AckTimeout}, "security event")
		}
	}
	if err != nil {
		a.refuseEvent(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// refuseEvent answers 400 for what is the event's fault, and 503 for what is the
// node's: a transmitter sends that again.
func (a *API) refuseEvent(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Language", "en") // RFC 8935, section 2.3
	if p, ok := errors.AsType[*eventProblem](err); ok {
		writeJSON(w, http.StatusBadRequest, eventError{p.code, p.detail})
		return
	}
	if bad, ok := errors.AsType[*badRequest](err); ok {
		writeJSON(w, bad.kind.status, eventError{"invalid_request", bad.detail})
		return
	}
	if invalid, ok := errors.AsType[*rescind.InvalidError](err); ok {
		writeJSON(w, http.StatusBadRequest, eventError{"invalid_request", "the event can not be acted upon: " + invalid.Field + " " + invalid.Problem})
		return
	}
	if kindOf(err) == kindInternal && cannotKnow(err) { // the issuer's keys are not there yet
		err = rescind.ErrNotReady
	}
	field, detail := describe(err)
	kindOf(err).writeField(w, field, detail)
}
