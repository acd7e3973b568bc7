package httpapi

import (
	"slices"

	"rescind"
)

// eventSubject is a subject identifier (RFC 9493), or a complex one of the Shared
// Signals Framework, section 3.3. In drafts format was called subject_type.
type eventSubject struct {
	Format  string        `json:"format"`
	Draft   string        `json:"subject_type"`
	Iss     string        `json:"iss"`
	Sub     string        `json:"sub"`
	ID      string        `json:"id"`
	Email   string        `json:"email"`
	URI     string        `json:"uri"`
	User    *eventSubject `json:"user"`
	Session *eventSubject `json:"session"`
	Tenant  *eventSubject `json:"tenant"`
}

func (s *eventSubject) format() string {
	if s.Format != "" {
		return s.Format
	}
	return s.Draft
}

func (s *eventSubject) hasIssuer() bool { return s.format() == "iss_sub" || s.format() == "iss-sub" }

// sessionOf returns the session that the complex subject s of an event by iss
// names. A session is of its user's issuer, or of the tenant that is named by its
// issuer's URI as ours are, or else of iss.
func (rules *rules) sessionOf(s *eventSubject, iss string) (rescind.Key, error) {
	owner := iss
	switch {
	case s.User != nil && s.User.hasIssuer():
		owner = s.User.Iss
	case s.Tenant != nil && s.Tenant.format() == "uri":
		owner = s.Tenant.URI
	}
	if s.Session.format() != "opaque" || s.Session.ID == "" {
		return rescind.Key{}, refusal("invalid_request", "the session is not named as opaque")
	}
	key := rescind.Key{Scope: rescind.ScopeSID, Issuer: owner, ID: s.Session.ID}
	if err := rules.speaksFor(iss, owner); err != nil {
		return key, err
	}
	if key.Validate() != nil {
		return key, refusal("invalid_request", "the session is no identifier")
	}
	return key, nil
}

// subjectOf returns the subject that s, of an event by iss, names.
func (rules *rules) subjectOf(s *eventSubject, iss string) (rescind.Key, error) {
	if s.User != nil { // a complex subject
		s = s.User
	}
	key := rescind.Key{Scope: rescind.ScopeSub, Issuer: iss}
	switch {
	case s.hasIssuer():
		key.Issuer, key.ID = s.Iss, s.Sub
	case s.format() == "opaque":
		key.ID = s.ID
	case s.format() == "email" && !rules.emailIsSubject:
		return key, refusal("invalid_request", "subjects are not named by email here")
	case s.format() == "email":
		key.ID = s.Email
	default:
		return key, refusal("invalid_request", "the subject must be iss_sub, opaque, email, or complex with one of these")
	}
	if err := rules.speaksFor(iss, key.Issuer); err != nil {
		return key, err
	}
	if key.Validate() != nil {
		return key, refusal("invalid_request", "the subject is empty, or no identifier")
	}
	return key, nil
}

// speaksFor returns nil if events by iss may name what belongs to owner.
func (rules *rules) speaksFor(iss, owner string) error {
	if owner == iss || slices.Contains(rules.eventSubjects[iss], owner) {
		return nil
	}
	return refusal("invalid_request", "the subject is of another issuer than the event")
}
