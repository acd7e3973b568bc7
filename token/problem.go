package token

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"rescind"
)

// retryAfter is what clients are asked to wait, in seconds, when this node
// can't know: keys and revocations usually arrive within that time.
const retryAfter = 1

// Status returns the HTTP status for an error of this package: 401 for a token
// that may not be used, 403 for one that lacks a scope, 409 for a one-time token
// that was used before, 503 where this node can't know, 400 for a malformed
// request, 500 for what is neither. It is 200 for nil.
func Status(err error) int {
	_, refused := errors.AsType[*Error](err)
	_, invalid := errors.AsType[*rescind.InvalidError](err)
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrReused):
		return http.StatusUnauthorized // also where revoking the session failed
	case unavailable(err):
		return http.StatusServiceUnavailable
	case errors.Is(err, ErrConsumed):
		return http.StatusConflict
	case errors.Is(err, ErrRequest), errors.Is(err, ErrStrictOff), invalid:
		return http.StatusBadRequest
	case errors.Is(err, ErrScope):
		return http.StatusForbidden
	case refused:
		return http.StatusUnauthorized
	default:
		return http.StatusInternalServerError
	}
}

// unavailable reports whether trying again later may help.
func unavailable(err error) bool {
	for _, e := range []error{
		ErrStale, ErrNotReady, ErrTooSoon, ErrUndecided, rescind.ErrBehind, rescind.ErrBusy,
		rescind.ErrFull, rescind.ErrNotReady, rescind.ErrClosed, rescind.ErrIsolated,
		context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Challenge returns the WWW-Authenticate header for err (RFC 6750 section 3),
// or "" if its Status calls for none. An empty realm is left out; quotes,
// backslashes and what is not printable ASCII are dropped from it.
func Challenge(err error, realm string) string {
	status := Status(err)
	if status != http.StatusUnauthorized && status != http.StatusForbidden && !errors.Is(err, ErrRequest) {
		return ""
	}
	c := "Bearer"
	sep := " "
	add := func(name, value string) {
		c += sep + name + `="` + value + `"`
		sep = ", "
	}
	if realm = strings.Map(quotable, realm); realm != "" {
		add("realm", realm)
	}
	if errors.Is(err, ErrNoToken) {
		return c // without credentials no error code is given
	}
	add("error", challengeCodes[status])
	if e, ok := errors.AsType[*Error](err); ok {
		add("error_description", e.Reason)
		if scope := strings.Map(quotable, e.Scope); scope != "" {
			add("scope", scope)
		}
	}
	return c
}

// challengeCodes are those of RFC 6750 section 3.1.
var challengeCodes = map[int]string{
	http.StatusBadRequest:   "invalid_request",
	http.StatusUnauthorized: "invalid_token",
	http.StatusForbidden:    "insufficient_scope",
}

// quotable drops what would end or break a quoted string in a header.
func quotable(r rune) rune {
	if r < ' ' || r > '~' || r == '"' || r == '\\' {
		return -1
	}
	return r
}

// problem is the body of an error answer: RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"`
}

var titles = map[int][2]string{
	http.StatusBadRequest:          {"invalid-request", "Invalid request"},
	http.StatusUnauthorized:        {"invalid-token", "Unauthorized"},
	http.StatusConflict:            {"consumed", "Token used before"},
	http.StatusForbidden:           {"insufficient-scope", "Forbidden"},
	http.StatusServiceUnavailable:  {"cannot-know", "Node cannot know right now"},
	http.StatusInternalServerError: {"internal", "Internal error"},
}

// titleOf returns the last part of the problem's type, and its title. Of what
// a node can't know, four kinds tell the client more.
func titleOf(err error, status int) [2]string {
	switch {
	case status != http.StatusServiceUnavailable:
		return titles[status]
	case errors.Is(err, ErrStale):
		return [2]string{"stale", "Node may be too far behind"}
	case errors.Is(err, ErrUndecided):
		return [2]string{"undecided", "Whether the token has been used could not be decided"}
	case errors.Is(err, rescind.ErrBehind):
		return [2]string{"behind", "Node does not hold that version yet"}
	case errors.Is(err, rescind.ErrBusy):
		return [2]string{"busy", "Too many requests wait"}
	default:
		return titles[status]
	}
}

// WriteError answers a request with err: its Status, its Challenge and a
// problem+json body, and Retry-After where trying again may help. err must not
// be nil. Only an *Error or a *rescind.InvalidError is described to the client.
func WriteError(w http.ResponseWriter, err error, realm string) {
	status := Status(err)
	title := titleOf(err, status)
	p := problem{Type: "urn:rescind:problem:" + title[0], Title: title[1], Status: status}
	if e, ok := errors.AsType[*Error](err); ok {
		p.Detail = e.Reason
	} else if e, ok := errors.AsType[*rescind.InvalidError](err); ok {
		p.Detail, p.Field = e.Error(), e.Field
	}
	body, merr := json.Marshal(p)
	if merr != nil { // all members are constant text
		body = nil
	}
	body = append(body, '\n')
	h := w.Header()
	if c := Challenge(err, realm); c != "" {
		h.Set("WWW-Authenticate", c)
	}
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a client that has gone away needs no answer
}
