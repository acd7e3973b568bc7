package httpapi

import (
	"net/http"
	"strconv"
	"time"
)

// kind is a class of failure that a client can tell apart by the problem's
// type, whatever the words beside it say.
type kind struct {
	name   string // the last part of the type URI; never changes
	title  string
	status int

	// retry is sent as Retry-After; 0 means that trying again does not help.
	retry time.Duration
}

// ErrFull waits longest: only expiry makes room.
var (
	kindInvalid   = kind{"invalid-field", "Invalid field", http.StatusBadRequest, 0}
	kindMalformed = kind{"malformed-body", "Malformed body", http.StatusBadRequest, 0}
	kindTooLarge  = kind{"body-too-large", "Body too large", http.StatusRequestEntityTooLarge, 0}
	kindMediaType = kind{"unsupported-media-type", "Unsupported media type", http.StatusUnsupportedMediaType, 0}
	kindSlowBody  = kind{"body-timeout", "The body did not arrive in time", http.StatusRequestTimeout, 0}
	kindAccept    = kind{"not-acceptable", "Not acceptable", http.StatusNotAcceptable, 0}
	kindNotFound  = kind{"not-found", "Not found", http.StatusNotFound, 0}
	kindMethod    = kind{"method-not-allowed", "Method not allowed", http.StatusMethodNotAllowed, 0}
	kindToken     = kind{"invalid-token", "Unauthorized", http.StatusUnauthorized, 0} // as package token writes it
	kindAdmin     = kind{"admin-token-needed", "Unauthorized", http.StatusUnauthorized, 0}
	kindReceiver  = kind{"receiver-token-needed", "Unauthorized", http.StatusUnauthorized, 0}
	kindAdminOff  = kind{"admin-disabled", "Admin endpoints are off", http.StatusForbidden, 0}
	kindTooMany   = kind{"too-many-requests", "Too many requests", http.StatusTooManyRequests, time.Second}
	kindFull      = kind{"full", "Revocation limit reached", http.StatusServiceUnavailable, time.Minute}
	kindNotReady  = kind{"not-ready", "Node not ready", http.StatusServiceUnavailable, time.Second}
	kindClosing   = kind{"closing", "Node is shutting down", http.StatusServiceUnavailable, time.Second}
	kindIsolated  = kind{"isolated", "Node isolated from its peers", http.StatusServiceUnavailable, 5 * time.Second}
	kindTimeout   = kind{"not-accepted-in-time", "Not accepted in time", http.StatusServiceUnavailable, time.Second}
	kindHistory   = kind{"not-implemented", "Not implemented", http.StatusNotImplemented, 0}
	kindInternal  = kind{"internal", "Internal error", http.StatusInternalServerError, 0}

	kindUnavailable = kind{"unavailable", "Store of revocations does not answer", http.StatusServiceUnavailable, 5 * time.Second}
)

// problem is the body of an error answer: RFC 9457, with the extension member
// "field" where one field of the request is at fault.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"`
}

// problem returns a problem of kind k. A detail is written for people, and
// never holds a secret, a token or an identifier.
func (k kind) problem(detail string) problem {
	return problem{Type: "urn:rescind:problem:" + k.name, Title: k.title, Status: k.status, Detail: detail}
}

// write answers with a problem of kind k.
func (k kind) write(w http.ResponseWriter, detail string) {
	k.writeField(w, "", detail)
}

// writeField is write for a failure that is due to one field.
func (k kind) writeField(w http.ResponseWriter, field, detail string) {
	p := k.problem(detail)
	p.Field = field
	k.setRetry(w.Header())
	writeBody(w, k.status, "application/problem+json", p)
}

func (k kind) setRetry(h http.Header) {
	if k.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(k.retry/time.Second)))
	}
}
