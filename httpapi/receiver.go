package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"rescind"
	"rescind/httpapi/ssf"
	"rescind/internal/problem"
)

// receiveEvent takes a security event that a transmitter pushes (RFC 8935; Shared
// Signals, CAEP, RISC) and revokes what it ends. It answers 202 once that is
// durable, and for events that end nothing, too. An event that comes again is
// harmless and answered alike.
func (a *API) receiveEvent(w http.ResponseWriter, r *http.Request) {
	if len(a.termsOf(r).eventAudience) == 0 {
		writeJSON(w, http.StatusForbidden, ssf.Refusal{Code: "access_denied", Description: "this node is configured with no audience of security events"})
		return
	}
	body, err := readBody(w, r, "application/secevent+jwt")
	if err == nil {
		err = a.actOnEvent(w.Header(), r, ssf.Event{Raw: strings.TrimSpace(string(body))})
	}
	if err != nil {
		a.refuseEvent(w, r, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// TakeEvent revokes what a security event ends that was fetched from its
// transmitter, as if that had pushed it: it is an [ssf.Stream]'s Take. It returns
// nil once that is durable here, and for events that end nothing. Errors are of
// type *ssf.Refusal where the event is at fault; any other is this node's.
func (a *API) TakeEvent(ctx context.Context, e ssf.Event) error {
	r := (&http.Request{Pattern: "poll", RemoteAddr: e.Issuer}).WithContext(ctx)
	return eventFault(a.actOnEvent(http.Header{}, a.withTerms(r, false), e))
}

// actOnEvent is what all ways have in common in which an event arrives. r tells
// the audit log where from; h is as in revoke.
func (a *API) actOnEvent(h http.Header, r *http.Request, e ssf.Event) error {
	revocations, origin, err := a.verifyEvents(a.termsOf(r).rules, e)
	r = withOrigin(r, origin)
	for _, rev := range revocations {
		_, _, failure := a.revoke(h, r, rev, concern{rescind.AckDefault, a.cfg.AckTimeout}, "security event")
		if _, invalid := errors.AsType[*rescind.InvalidError](failure); invalid {
			err = failure // of this event alone
		} else if failure != nil {
			return failure
		}
	}
	return err
}

// eventFault makes a Refusal of an error that is the event's fault.
func eventFault(err error) error {
	if invalid, ok := errors.AsType[*rescind.InvalidError](err); ok {
		return &ssf.Refusal{Code: "invalid_request", Description: "the event can not be acted upon: " + invalid.Field + " " + invalid.Problem}
	}
	return err
}

// refuseEvent answers 400 for what is the event's fault, and 503 for what is the
// node's: a transmitter sends that again.
func (a *API) refuseEvent(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Content-Language", "en") // RFC 8935, section 2.3
	err = eventFault(err)
	if refusal, ok := errors.AsType[*ssf.Refusal](err); ok {
		writeJSON(w, http.StatusBadRequest, refusal)
		return
	}
	if bad, ok := errors.AsType[*problem.Error](err); ok {
		writeJSON(w, bad.Kind.Status, ssf.Refusal{Code: "invalid_request", Description: bad.Detail})
		return
	}
	a.refuse(w, r, err)
}
