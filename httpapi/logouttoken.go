package httpapi

import (
	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/internal/problem"
	"rescind/token"
)

// logoutEvent names what a logout token is about.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutClaims are those that only a logout token's validation needs. A member
// is nil where the claim is missing.
type logoutClaims struct {
	Exp    jsontext.Value            `json:"exp"`
	Iat    jsontext.Value            `json:"iat"`
	Jti    jsontext.Value            `json:"jti"`
	Nonce  jsontext.Value            `json:"nonce"`
	Events map[string]jsontext.Value `json:"events"`
}

// verifyLogoutToken validates a logout token (Back-Channel Logout 1.0, section
// 2.6), save whether it was used before. Errors are of type *problem.Error, or what
// cannotKnow tells.
func (a *API) verifyLogoutToken(rules *rules, raw string) (*token.Verified, error) {
	bad := func(detail string) error { return &problem.Error{Kind: problem.Malformed, Detail: detail} }
	verified, err := a.cfg.Verifier.VerifyToRevoke(raw, token.Inspection{Types: []string{token.TypeLogout}, Audience: rules.logoutAudiences})
	if err != nil {
		if cannotKnow(err) {
			return nil, err
		}
		return nil, bad("the logout token was refused: " + reasonOf(err))
	}
	if verified.Type != token.TypeLogout {
		return nil, bad("the token is no logout token")
	}
	// All audiences were acceptable above; now only those of its own issuer.
	if !overlap(verified.Audience, rules.logoutAudience[verified.Token.Issuer]) {
		return nil, bad("the logout token is meant for another client")
	}
	var c logoutClaims
	if verified.Decode(&c) != nil {
		return nil, bad("events of the logout token is no JSON object")
	}
	event, ok := c.Events[logoutEvent]
	switch {
	case c.Nonce != nil:
		return nil, bad("a logout token has no nonce")
	case !ok || event.Kind() != jsontext.KindBeginObject:
		return nil, bad("events of the logout token lacks the back-channel logout event, whose value is an object")
	case c.Exp == nil || c.Iat == nil || c.Jti == nil:
		return nil, bad("the logout token lacks exp, iat or jti")
	case verified.Token.Session == "" && verified.Token.Subject == "":
		return nil, bad("the logout token has neither sid nor sub")
	}
	return verified, nil
}

// logoutOf returns what a logout token asks for: the end of a session, or, if it
// names none, of all sessions of the subject that began before the token was
// made. That moment and not now: so a token that is replayed to a node that has
// not heard of its first use logs nobody out who has logged in since.
func logoutOf(verified *token.Verified) rescind.Revocation {
	if verified.Token.Session != "" {
		return verified.Session()
	}
	rev := verified.Subject()
	rev.IssuedBefore = endOfSecond(verified.Token.IssuedAt)
	return rev
}

func overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}
