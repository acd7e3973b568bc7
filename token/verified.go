package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind"
)

// Verified is what a verified token says.
type Verified struct {
	// Token is what revocations match. IssuedAt is auth_time where that is
	// earlier and the issuer's AuthTime is set, or for a session that
	// Issuer.LogoutOthers kept the time of that. KeyID is the kid of the key
	// that verified the signature.
	Token rescind.Token

	// Type is the header's typ in lower case and without "application/", ""
	// if it has none. Where typ is absent or JWT but the claims betray a logout
	// token or a refresh token, it is TypeLogout or TypeRefresh.
	Type string

	Algorithm string   // alg
	Audience  []string // aud; must not be changed

	claims jsontext.Value
	at     time.Time     // when it was verified, on the verifier's clock
	leeway time.Duration // of the verifier

	// clientSession is "", or the second name under which the token can be
	// revoked: that of its subject's sessions at its client.
	clientSession string

	status    StatusReference // URI is "" if the token refers to no status list
	published rescind.Key     // the zero Key, or another name: its entry in a list that we publish
}

// StatusReference returns the entry of a status list that the token refers to.
func (v *Verified) StatusReference() (r StatusReference, ok bool) {
	return v.status, v.status.URI != ""
}

// Published returns r for the token's entry in a list of the issuer's
// PublishedLists, so that the list tells of r as well, or false where the token
// has none. Revoke it before r: whoever knows r then knows both.
func (v *Verified) Published(r rescind.Revocation) (rescind.Revocation, bool) {
	return rescind.Revocation{Key: v.published, ExpiresAt: r.ExpiresAt}, v.published.ID != ""
}

// aliases returns the further names under which the token can be revoked: n of
// them.
func (v *Verified) aliases() (names [2]rescind.Token, n int) {
	if v.clientSession != "" {
		names[n] = clientSessionToken(v.Token.Issuer, v.clientSession, v.Token.IssuedAt)
		n++
	}
	if v.published.ID != "" {
		names[n] = rescind.Token{Issuer: v.published.Issuer, ID: v.published.ID, IssuedAt: v.Token.IssuedAt}
		n++
	}
	return names, n
}

// Claims returns the claims as JSON, which must not be changed.
func (v *Verified) Claims() []byte { return v.claims }

// Decode stores the claims in the value that dst points to, by the rules of
// encoding/json/v2: names are case-sensitive. The error matches ErrClaims and
// names the claim, but not its value.
func (v *Verified) Decode(dst any) error {
	err := json.Unmarshal(v.claims, dst)
	if err == nil {
		return nil
	}
	if s, ok := errors.AsType[*json.SemanticError](err); ok {
		err = fmt.Errorf("%w: %q does not fit %v", ErrClaims, s.JSONPointer, s.GoType)
	} else {
		err = ErrClaims
	}
	return fmt.Errorf("token: decoding claims into %T: %w", dst, err)
}

// This returns the revocation of this one token. It ends with the token; Revoke
// refuses it as invalid once the token has been expired for rescind.MaxLeeway.
func (v *Verified) This() rescind.Revocation {
	return rescind.Revocation{
		Key:       rescind.Key{Scope: rescind.ScopeJTI, Issuer: v.Token.Issuer, ID: v.Token.ID},
		ExpiresAt: v.Token.ExpiresAt.Time(),
	}
}

// Session returns the revocation of the token's session, "log out this device",
// or of this token alone if it has no sid. A session's lives for the node's
// maximum lifetime, since its tokens expire at different times.
func (v *Verified) Session() rescind.Revocation {
	if v.Token.Session == "" {
		return v.This()
	}
	return rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSID, Issuer: v.Token.Issuer, ID: v.Token.Session}}
}

// Subject returns the revocation of everything that the token's subject has
// been issued by now, "log out everywhere". It covers this token also if the
// issuer's clock is ahead. A token without sub gives a revocation that Revoke
// refuses as invalid.
func (v *Verified) Subject() rescind.Revocation {
	r := rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSub, Issuer: v.Token.Issuer, ID: v.Token.Subject}}
	if v.Token.IssuedAt.Time().After(v.at) {
		r.IssuedBefore = v.Token.IssuedAt.Time()
	}
	return r
}
