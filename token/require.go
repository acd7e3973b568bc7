package token

import (
	"slices"
	"strings"
)

// Requirement is what a route asks of a token that is acceptable otherwise.
// The zero value asks for nothing.
type Requirement struct {
	// Issuer must each be the token's iss. Where several issuers are trusted, the
	// same sub is another person at each, and any of them may grant any audience
	// and scope: a route that belongs to one of them says so.
	Issuer   []string
	Audience []string // aud must hold every one
	Scope    []string // the scopes granted must hold every one
}

// And returns what both ask for. So whoever adds a requirement only tightens. It
// shares no memory with either.
func (q Requirement) And(other Requirement) Requirement {
	return Requirement{
		Issuer:   owned(slices.Concat(q.Issuer, other.Issuer)),
		Audience: owned(slices.Concat(q.Audience, other.Audience)),
		Scope:    owned(slices.Concat(q.Scope, other.Scope)),
	}
}

// Check returns nil if v meets q, and else an *Error: ErrIssuer, a 403, since no
// other token of that issuer would do; ErrAudience, a 401, since the token is meant
// for somebody else; ErrScope, a 403, since another log-in would not help.
func (q Requirement) Check(v *Verified) error {
	for _, iss := range q.Issuer {
		if v.Token.Issuer != iss {
			return refuse(ErrIssuer, "issuer", "the token is of another issuer than is required here")
		}
	}
	for _, aud := range q.Audience {
		if !slices.Contains(v.Audience, aud) {
			return refuse(ErrAudience, "audience", "the token is meant for another audience than is required here")
		}
	}
	if len(q.Scope) == 0 {
		return nil
	}
	granted := v.Scopes()
	for _, scope := range q.Scope {
		if !slices.Contains(granted, scope) {
			return &Error{Check: "scope", Reason: "the token lacks a scope that is required here", Err: ErrScope, Scope: strings.Join(q.Scope, " ")}
		}
	}
	return nil
}

// Scopes returns what the token grants: scope, words parted by blanks (RFC 9068
// section 2.2.3), or else scp, a list or such words, as some issuers call it.
func (v *Verified) Scopes() []string {
	var claims struct {
		Scope any `json:"scope"`
		SCP   any `json:"scp"`
	}
	if v.Decode(&claims) != nil {
		return nil
	}
	if claims.Scope == nil {
		claims.Scope = claims.SCP
	}
	switch scope := claims.Scope.(type) {
	case string:
		return strings.Fields(scope)
	case []any:
		var all []string
		for _, s := range scope {
			if s, ok := s.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}
