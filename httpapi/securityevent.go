package httpapi

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/httpapi/ssf"
	"rescind/token"
)

// What the events are about that end sessions. The value says whether the subject
// may name one session, which then ends alone.
var endingEvents = map[string]bool{
	"https://schemas.openid.net/secevent/caep/event-type/session-revoked":                    true,
	"https://schemas.openid.net/secevent/caep/event-type/credential-change":                  false,
	"https://schemas.openid.net/secevent/risc/event-type/account-disabled":                   false,
	"https://schemas.openid.net/secevent/risc/event-type/account-purged":                     false,
	"https://schemas.openid.net/secevent/risc/event-type/account-credential-change-required": false,
	"https://schemas.openid.net/secevent/risc/event-type/credential-compromise":              false,
	"https://schemas.openid.net/secevent/risc/event-type/sessions-revoked":                   false,
}

// eventClaims are those of a security event token (RFC 8417).
type eventClaims struct {
	Iat       jsontext.Value            `json:"iat"`
	Jti       jsontext.Value            `json:"jti"`
	Txn       jsontext.Value            `json:"txn"`
	Exp       jsontext.Value            `json:"exp"`
	SubjectID *eventSubject             `json:"sub_id"`
	Events    map[string]jsontext.Value `json:"events"`
}

// securityEvent is one of them. Drafts put the subject here.
type securityEvent struct {
	Subject *eventSubject `json:"subject"`
	At      float64       `json:"event_timestamp"` // seconds; 0: when the token was issued
}

// refusal returns an error of RFC 8935, section 2.4.
func refusal(code, detail string) *ssf.Refusal { return &ssf.Refusal{Code: code, Description: detail} }

// verifyEvents validates a security event token and returns what its events
// revoke: nothing, where none of them ends sessions. Beside an error that is about
// one of the events it returns what the others revoke. origin says by what event the
// revocations come about. Errors are of type *ssf.Refusal, or what cannotKnow tells.
// A transmitter's clock may be ahead as far as a node's: what it is refused is lost.
func (a *API) verifyEvents(rules *rules, e ssf.Event) (revocations []rescind.Revocation, origin ssf.Origin, err error) {
	verified, err := a.cfg.Verifier.VerifyToRevoke(e.Raw, token.Inspection{AllowNoExp: true, Early: rescind.MaxClockSkew, Types: []string{token.TypeEvent}, Audience: rules.eventAudiences})
	switch {
	case err != nil && cannotKnow(err):
		return nil, origin, err
	case err != nil:
		return nil, origin, refusal(eventCode(err), "the event token was refused: "+reasonOf(err))
	case verified.Type != token.TypeEvent:
		return nil, origin, refusal("invalid_request", "the token is no security event token")
	case !overlap(verified.Audience, rules.eventAudience[verified.Token.Issuer]):
		return nil, origin, refusal("invalid_audience", "the event token is meant for another receiver")
	}
	if e.Issuer != "" && e.Issuer != verified.Token.Issuer {
		return nil, origin, refusal("invalid_issuer", "the event is of another issuer than its stream")
	}
	var c eventClaims
	if verified.Decode(&c) != nil {
		return nil, origin, refusal("invalid_request", "sub_id or events of the event token has another form than is known")
	}
	if c.Iat == nil || c.Jti == nil || len(c.Events) == 0 || c.Exp != nil {
		return nil, origin, refusal("invalid_request", "an event token has iat, jti and events, and no exp")
	}
	if e.ID != "" && e.ID != verified.Token.ID {
		return nil, origin, refusal("invalid_request", "the event has another jti than it is called by")
	}
	origin = ssf.Origin{Issuer: verified.Token.Issuer, Txn: verified.Token.ID}
	if txn := (""); json.Unmarshal(c.Txn, &txn) == nil && txn != "" {
		origin.Txn = txn
	}
	for name, raw := range c.Events {
		bySession, ends := endingEvents[name]
		if !ends {
			continue // verification, or what changes no session, of whatever form
		}
		var event securityEvent
		if json.Unmarshal(raw, &event) != nil {
			err = refusal("invalid_request", "an event has another form than is known")
			continue
		}
		if event.Subject == nil {
			event.Subject = c.SubjectID
		}
		rev, failure := rules.revocationOf(verified, event, bySession)
		if failure != nil {
			err = failure // the others still count: what is refused is never sent again
			continue
		}
		revocations = append(revocations, rev)
	}
	return revocations, origin, err
}

// eventCode finds the word of RFC 8935 for a token that was refused.
func eventCode(err error) string {
	for code, sentinels := range map[string][]error{
		"invalid_issuer":   {token.ErrUnknownIssuer},
		"invalid_audience": {token.ErrAudience},
		"invalid_key":      {token.ErrUnknownKey, token.ErrSignature, token.ErrAlgorithm, token.ErrDecryption, token.ErrRevoked},
	} {
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) {
				return code
			}
		}
	}
	return "invalid_request"
}

// revocationOf maps an event to what it ends, up to the moment at which it
// happened: so an event that comes late, or twice, ends nothing that began
// afterwards.
func (rules *rules) revocationOf(verified *token.Verified, event securityEvent, bySession bool) (rescind.Revocation, error) {
	iss := verified.Token.Issuer
	if event.Subject == nil {
		return rescind.Revocation{}, refusal("invalid_request", "the event has no subject")
	}
	if bySession && event.Subject.Session != nil {
		key, err := rules.sessionOf(event.Subject, iss)
		return rescind.Revocation{Key: key}, err
	}
	key, err := rules.subjectOf(event.Subject, iss)
	if err != nil {
		return rescind.Revocation{}, err
	}
	at := min(verified.Token.IssuedAt, rescind.MillisOf(time.Now())) // a future one would shut out later log-ins
	if event.At > 0 {
		at = min(at, rescind.MillisOf(time.Unix(int64(min(event.At, 1e11)), 0)))
	}
	return rescind.Revocation{Key: key, IssuedBefore: endOfSecond(at)}, nil
}

// endOfSecond is the last moment of the second that m is in: issuers date tokens
// in whole seconds.
func endOfSecond(m rescind.Millis) time.Time { return (m - m%1000 + 999).Time() }
