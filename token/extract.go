package token

import (
	"errors"
	"net/http"
	"strings"
)

// Extractor finds the token in a request. Its error is ErrNoToken where there is
// none, and anything else where the request is malformed. [Bearer] is one.
type Extractor func(*http.Request) (string, error)

// FromHeader takes the token from a header that holds it and nothing else.
func FromHeader(name string) Extractor {
	name = strings.Clone(name)
	return func(r *http.Request) (string, error) { return only(r.Header.Values(name)) }
}

// FromCookie takes the token from a cookie. A browser sends cookies with
// requests that other sites make: set SameSite, or check Origin
// ([http.CrossOriginProtection]).
func FromCookie(name string) Extractor {
	name = strings.Clone(name)
	return func(r *http.Request) (string, error) {
		var values []string
		for _, c := range r.CookiesNamed(name) {
			values = append(values, c.Value)
		}
		return only(values)
	}
}

// FromQuery takes the token from a parameter of the URL, for the WebSocket and
// EventSource of browsers, which can't send headers. URLs end up in logs: use
// tokens of short life.
func FromQuery(name string) Extractor {
	name = strings.Clone(name)
	return func(r *http.Request) (string, error) { return only(r.URL.Query()[name]) }
}

// only returns the one value. Of two, who knows which one counts elsewhere?
func only(values []string) (string, error) {
	switch {
	case len(values) > 1:
		return "", refuse(ErrRequest, "request", "there is more than one token in the request")
	case len(values) == 0 || values[0] == "":
		return "", refuse(ErrNoToken, "request", "a token is required")
	}
	return values[0], nil
}

// firstOf takes the token of the first extractor that finds one, or that finds
// the request malformed.
func firstOf(extractors []Extractor) Extractor {
	return func(r *http.Request) (raw string, err error) {
		for _, extract := range extractors {
			if raw, err = extract(r); !errors.Is(err, ErrNoToken) {
				break
			}
		}
		return raw, err
	}
}
