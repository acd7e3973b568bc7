package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"unicode/utf8"

	"rescind/internal/problem"
)

// refuseOAuth answers a request to an OAuth endpoint that failed with err. Who
// tried too many secrets gets the answer of all limits.
func (a *API) refuseOAuth(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, problem.ErrTooManyTries) {
		a.tooMany(w)
		return
	}
	a.logUnexpected(r, err)
	problem.WriteOAuth(w, err)
}

// oauthForm reads the form of a request, which must have the parameter named.
// Parameters in the URL do not count:
// URLs end up in logs. Errors are of type *problem.Error.
func oauthForm(w http.ResponseWriter, r *http.Request, required string) (url.Values, error) {
	body, err := readBody(w, r, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &problem.Error{Kind: problem.Malformed, Detail: "the body is not a form"}
	}
	for _, values := range form {
		// Which of two tokens is meant? RFC 6749, section 3.2, refuses both.
		if len(values) > 1 {
			return nil, &problem.Error{Kind: problem.Malformed, Detail: "a parameter is there twice"}
		}
	}
	token := form.Get(required)
	if token == "" || !utf8.ValidString(token) {
		return nil, &problem.Error{Kind: problem.Malformed, Detail: "the parameter " + required + " is missing"}
	}
	return form, nil
}
