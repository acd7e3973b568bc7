package problem

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// typePrefix begins the type URI of each problem.
const typePrefix = "urn:rescind:problem:"

// Body is the body of an error answer: RFC 9457, with the extension member "field"
// where one field of the request is at fault.
type Body struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"`
}

// BodyOf returns the body that tells of err.
func BodyOf(err error) Body {
	field, detail := Describe(err)
	return Of(err).body(field, detail)
}

func (k Kind) body(field, detail string) Body {
	return Body{Type: k.Type(), Title: k.Title, Status: k.Status, Detail: detail, Field: field}
}

// Type returns the type URI.
func (k Kind) Type() string { return typePrefix + k.Name }

// Write answers with a problem of kind k. A detail is written for people, and
// never holds a secret, a token or an identifier.
func (k Kind) Write(w http.ResponseWriter, detail string) { k.WriteField(w, "", detail) }

// WriteField is Write for a failure that is due to one field.
func (k Kind) WriteField(w http.ResponseWriter, field, detail string) {
	k.SetRetry(w.Header())
	writeBody(w, k.Status, "application/problem+json", k.body(field, detail))
}

// SetRetry says after how long to try again, where that helps.
func (k Kind) SetRetry(h http.Header) {
	if k.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(k.Retry/time.Second)))
	}
}

// Write answers with the problem that err is, and with its challenge for realm
// where there is one. err must not be nil.
func Write(w http.ResponseWriter, err error, realm string) {
	h := w.Header()
	if c := Challenge(err, realm); c != "" {
		h.Set("WWW-Authenticate", c)
	}
	h.Set("Cache-Control", "no-store")
	field, detail := Describe(err)
	Of(err).WriteField(w, field, detail)
}

// Challenge returns the WWW-Authenticate header for an error about a bearer token
// (RFC 6750 section 3), or "" if it calls for none. An empty realm is left out;
// quotes, backslashes and what is not printable ASCII are dropped from it.
func Challenge(err error, realm string) string {
	kind := Of(err)
	if kind.Bearer == "" && kind != NoToken {
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
	if kind.Bearer == "" {
		return c // without credentials no error code is given
	}
	add("error", kind.Bearer)
	if denied, ok := errors.AsType[denial](err); ok {
		reason, scope := denied.ProblemDetail()
		add("error_description", reason)
		if scope = strings.Map(quotable, scope); scope != "" {
			add("scope", scope)
		}
	}
	return c
}

// quotable drops what would end or break a quoted string in a header.
func quotable(r rune) rune {
	if r < ' ' || r > '~' || r == '"' || r == '\\' {
		return -1
	}
	return r
}

// OAuthBody is the body of an error answer of an OAuth endpoint: RFC 6749, section
// 5.2.
type OAuthBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// WriteOAuth answers a request to an OAuth endpoint that failed with err. Whatever
// keeps the node from accepting it is a 503: RFC 7009 makes the client then assume
// that the token still exists, and try again.
func WriteOAuth(w http.ResponseWriter, err error) {
	kind := Of(err)
	status := kind.OAuthStatus
	if status == 0 {
		status = kind.Status
	}
	if status == http.StatusServiceUnavailable {
		kind.Retry = max(kind.Retry, NotReady.Retry)
	}
	kind.SetRetry(w.Header())
	if kind.OAuth == InvalidClient.OAuth {
		w.Header().Set("WWW-Authenticate", `Basic realm="rescind-client"`)
	}
	_, detail := Describe(err)
	WriteOAuthError(w, status, kind.OAuth, strings.Map(quotable, detail))
}

// WriteOAuthError answers in the format that OAuth clients read. The description
// may hold neither quotes nor backslashes.
func WriteOAuthError(w http.ResponseWriter, status int, code, description string) {
	writeBody(w, status, "application/json", OAuthBody{code, description})
}

// writeBody answers with v in JSON of the given media type. The body is complete
// before the first byte leaves.
func writeBody(w http.ResponseWriter, status int, mediaType string, v any) {
	body, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // both types can be written, whatever they hold
	}
	body = append(body, '\n') // for terminals
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a client that has gone away needs no answer
}
