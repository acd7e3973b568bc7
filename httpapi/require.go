package httpapi

import (
	"net/url"
	"slices"
	"strings"

	"rescind"
	"rescind/token"
)

// The parameters of /v1/check by which a route of a proxy asks for more. There
// may be several of each, and all must be met: should a client get one in, it
// has only tightened.
const (
	requireIssuer   = "require_iss"
	requireAudience = "require_aud"
	requireScope    = "require_scope" // may hold several, parted by blanks
)

// originalURI ends what the proxy says: what follows is the client's, as an
// Envoy appends it to its path prefix.
const originalURI = "uri="

// requirementOf reads what u requires. At /v1/check itself any other parameter
// is refused, since a misspelt one would silently require nothing; below, path
// and query are those of the original request, which may have parameters of
// its own. Errors are of type *rescind.InvalidError.
func requirementOf(u *url.URL) (token.Requirement, error) {
	if u.RawQuery == "" {
		return token.Requirement{}, nil
	}
	raw := u.RawQuery
	if at := strings.Index("&"+raw, "&"+originalURI); at >= 0 {
		raw = raw[:max(at-1, 0)]
	}
	query, err := url.ParseQuery(raw)
	if err != nil && u.Path == checkPath {
		return token.Requirement{}, &rescind.InvalidError{Field: "query", Problem: "can't be parsed"}
	}
	for name := range query {
		if name != requireIssuer && name != requireAudience && name != requireScope && u.Path == checkPath {
			return token.Requirement{}, &rescind.InvalidError{Field: plainName(name), Problem: "is not a parameter of this request; there are require_iss, require_aud and require_scope"}
		}
	}
	if slices.Contains(query[requireIssuer], "") || slices.Contains(query[requireAudience], "") || slices.ContainsFunc(query[requireScope], func(s string) bool { return strings.TrimSpace(s) == "" }) {
		return token.Requirement{}, &rescind.InvalidError{Field: "query", Problem: "requires an empty issuer, audience or scope; leave the parameter out to require none"}
	}
	return token.Requirement{
		Issuer:   query[requireIssuer],
		Audience: query[requireAudience],
		Scope:    strings.Fields(strings.Join(query[requireScope], " ")),
	}, nil
}
