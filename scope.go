package rescind

import "fmt"

// Scope names the claim that a revocation matches. Its number is part of the
// stored and transmitted form and never changes.
type Scope uint8

const (
	ScopeJTI      Scope = 1 // jti: this token
	ScopeSID      Scope = 2 // sid: this session, i.e. one device and its refresh family
	ScopeSub      Scope = 3 // sub: everything of this subject issued before
	ScopeClientID Scope = 4 // client_id, else azp: an application
	ScopeKID      Scope = 5 // kid of the JOSE header: a signing key
	ScopeIss      Scope = 6 // iss: everything of this issuer issued before
)

// NumScopes is one more than the largest Scope: the length of an array that
// is indexed by scope.
const NumScopes = 7

var scopeNames = [NumScopes]string{"", "jti", "sid", "sub", "client_id", "kid", "iss"}

// Scopes lists every scope in the order in which a check looks them up: the
// most often revoked first.
func Scopes() [NumScopes - 1]Scope {
	return [...]Scope{ScopeJTI, ScopeSID, ScopeSub, ScopeClientID, ScopeKID, ScopeIss}
}

// ParseScope returns the scope called name, exactly as in the claim.
func ParseScope(name string) (Scope, error) {
	for s, n := range scopeNames {
		if s > 0 && n == name {
			return Scope(s), nil
		}
	}
	return 0, &InvalidError{Field: "scope", Problem: fmt.Sprintf("%.40q is no scope; use jti, sid, sub, client_id, kid or iss", name)}
}

// Valid reports whether s is one of the declared scopes.
func (s Scope) Valid() bool { return s > 0 && s < NumScopes }

// String returns the name of the claim, or "scope(n)" for an undeclared scope.
func (s Scope) String() string {
	if !s.Valid() {
		return fmt.Sprintf("scope(%d)", uint8(s))
	}
	return scopeNames[s]
}

// coversEver reports whether a revocation of this scope that states no
// IssuedBefore covers tokens whenever they were issued. A subject and an
// issuer go on minting tokens after "log out everywhere"; a revoked token,
// session, application or key does not come back.
func (s Scope) coversEver() bool { return s != ScopeSub && s != ScopeIss }
