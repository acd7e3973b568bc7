package httpapi

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"rescind"
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
	Iat       jsontext.Value           `json:"iat"`
	Jti       jsontext.Value           `json:"jti"`
	Exp       jsontext.Value           `json:"exp"`
	SubjectID *eventSubject            `json:"sub_id"`
	Events    map[string]securityEvent `json:"events"`
}

// securityEvent is one of them. Drafts put the subject here.
type securityEvent struct {
	Subject *eventSubject `json:"subject"`
	At      float64       `json:"event_timestamp"` // seconds; 0: when the token was issued
}

// eventSubject is a subject identifier (RFC 9493). In drafts format was called
// subject_type.
type eventSubject struct {
	Format  string        `json:"format"`
	Draft   string        `json:"subject_type"`
	Iss     string        `json:"iss"`
	Sub     string        `json:"sub"`
	ID      string        `json:"id"`
	Email   string        `json:"email"`
	User    *eventSubject `json:"user"`
	Session *eventSubject `json:"session"`
}

// eventProblem is an error of RFC 8935, section 2.4.
type eventProblem struct{ code, detail string }

func (e *eventProblem) Error() string { return e.detail }

// verifyEvents validates a security event token and returns what its events
// revoke: nothing, where none of them ends sessions. Errors are of type
// *eventProblem, or what cannotKnow tells.
func (a *API) verifyEvents(rules *rules, raw string) ([]rescind.Revocation, error) {
	verified, err := a.cfg.Verifier.VerifyIgnoringRevocation(raw, token.Inspection{AllowNoExp: true, Types: []string{token.TypeEvent}, Audience: rules.eventAudiences})
	switch {
	case err != nil && cannotKnow(err):
		return nil, err
	case err != nil:
		return nil, &eventProblem{eventCode(err), "the event token was refused: " + reasonOf(err)}
	case verified.Type != token.TypeEvent:
		return nil, &eventProblem{"invalid_request", "the token is no security event token"}
	case !overlap(verified.Audience, rules.eventAudience[verified.Token.Issuer]):
		return nil, &eventProblem{"invalid_audience", "the event token is meant for another receiver"}
	}
	var c eventClaims
	if verified.Decode(&c) != nil {
		return nil, &eventProblem{"invalid_request", "sub_id or events of the event token have another form than is known"}
	}
	if c.Iat == nil || c.Jti == nil || len(c.Events) == 0 || c.Exp != nil {
		return nil, &eventProblem{"invalid_request", "an event token has iat, jti and events, and no exp"}
	}
	var revocations []rescind.Revocation
	for name, event := range c.Events {
		bySession, ends := endingEvents[name]
		if !ends {
			continue // verification, or what changes no session
		}
		if event.Subject == nil {
			event.Subject = c.SubjectID
		}
		rev, err := rules.revocationOf(verified, event, bySession)
		if err != nil {
			return nil, err
		}
		revocations = append(revocations, rev)
	}
	return revocations, nil
}

// eventCode finds the word of RFC 8935 for a token that was refused.
func eventCode(err error) string {
	for code, sentinels := range map[string][]error{
		"invalid_issuer":   {token.ErrUnknownIssuer},
		"invalid_audience": {token.ErrAudience},
		"invalid_key":      {token.ErrUnknownKey, token.ErrSignature, token.ErrAlgorithm, token.ErrDecryption},
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
	if s := event.Subject; bySession && s != nil && s.Session != nil {
		id := s.Session.ID
		if s.Session.format() != "opaque" || id == "" {
			return rescind.Revocation{}, &eventProblem{"invalid_request", "the session is not named as opaque"}
		}
		return rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeSID, Issuer: iss, ID: id}}, nil
	}
	sub, err := rules.subjectOf(event.Subject, iss)
	if err != nil {
		return rescind.Revocation{}, err
	}
	at := verified.Token.IssuedAt
	if event.At > 0 {
		at = min(at, rescind.MillisOf(time.Unix(int64(min(event.At, 1e11)), 0))) // a future one would shut out later log-ins
	}
	return rescind.Revocation{
		Key:          rescind.Key{Scope: rescind.ScopeSub, Issuer: iss, ID: sub},
		IssuedBefore: endOfSecond(at),
	}, nil
}

// endOfSecond is the last moment of the second that m is in: issuers date tokens
// in whole seconds.
func endOfSecond(m rescind.Millis) time.Time { return (m - m%1000 + 999).Time() }

func (s *eventSubject) format() string {
	if s.Format != "" {
		return s.Format
	}
	return s.Draft
}

// subjectOf returns the sub that s names. A transmitter speaks for subjects of
// its own only, or it could log out anybody's.
func (rules *rules) subjectOf(s *eventSubject, iss string) (string, error) {
	if s == nil {
		return "", &eventProblem{"invalid_request", "the event has no subject"}
	}
	if s.User != nil { // a complex subject
		s = s.User
	}
	sub := ""
	switch s.format() {
	case "iss_sub", "iss-sub":
		if s.Iss != iss {
			return "", &eventProblem{"invalid_request", "the subject is of another issuer than the event"}
		}
		sub = s.Sub
	case "opaque":
		sub = s.ID
	case "email":
		if !rules.emailIsSubject {
			return "", &eventProblem{"invalid_request", "subjects are not named by email here"}
		}
		sub = s.Email
	default:
		return "", &eventProblem{"invalid_request", "the subject must be iss_sub, opaque, email, or complex with one of these"}
	}
	if (rescind.Key{Scope: rescind.ScopeSub, Issuer: iss, ID: sub}).Validate() != nil {
		return "", &eventProblem{"invalid_request", "the subject is empty, or no identifier"}
	}
	return sub, nil
}
