package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// oauthError is the error body of the OAuth endpoints: RFC 6749, section 5.2.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// writeOAuthError answers in the format that OAuth clients read. The
// description may hold neither quotes nor backslashes.
func writeOAuthError(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, oauthError{code, description})
}

// refuseOAuth answers a request to an OAuth endpoint that failed with err.
// Whatever keeps the node from accepting it is a 503: RFC 7009 makes the
// client then assume that the token still exists, and try again.
func (a *API) refuseOAuth(w http.ResponseWriter, err error) {
	var bad *badRequest
	if errors.As(err, &bad) {
		writeOAuthError(w, bad.kind.status, "invalid_request", bad.detail)
		return
	}
	if errors.Is(err, errInvalidClient) {
		w.Header().Set("WWW-Authenticate", `Basic realm="rescind-client"`)
		writeOAuthError(w, http.StatusUnauthorized, "invalid_client", "the client must authenticate, by HTTP Basic or in the form")
		return
	}
	if errors.Is(err, errTooManyTries) {
		a.tooMany(w)
		return
	}
	k := kindOf(err)
	k.retry = max(k.retry, kindNotReady.retry)
	k.setRetry(w.Header())
	writeOAuthError(w, http.StatusServiceUnavailable, "temporarily_unavailable", "the node can not do this right now, try again later")
}

// oauthForm reads the form of a request, which must have the parameter named.
// Parameters in the URL do not count:
// URLs end up in logs. Errors are of type *badRequest.
func oauthForm(w http.ResponseWriter, r *http.Request, required string) (url.Values, error) {
	body, err := readBody(w, r, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &badRequest{kind: kindMalformed, detail: "the body is not a form"}
	}
	for _, values := range form {
		// Which of two tokens is meant? RFC 6749, section 3.2, refuses both.
		if len(values) > 1 {
			return nil, &badRequest{kind: kindMalformed, detail: "a parameter is there twice"}
		}
	}
	token := form.Get(required)
	if token == "" || !utf8.ValidString(token) {
		return nil, &badRequest{kind: kindMalformed, detail: "the parameter " + required + " is missing"}
	}
	return form, nil
}
