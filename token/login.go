package token

import (
	"context"
	"fmt"
	"sort"

	"rescind"
)

// maxAhead bounds how far ahead of its clock an Issuer dates a token. A
// verifier with less leeway refuses such a token for that long.
const maxAhead = DefaultLeeway

// Only says which other sessions a new login ends.
type Only uint8

const (
	// AnyNumber ends none.
	AnyNumber Only = iota

	// OnePerSubject ends every other session of the subject.
	OnePerSubject

	// OnePerClient ends the subject's other sessions at the same ClientID that
	// were opened with OnePerClient too. Every check of such a session's tokens
	// asks the Checker twice.
	OnePerClient
)

// LoginOptions are the particulars of a session; the zero value has none.
type LoginOptions struct {
	// ClientID is the application, as client_id (RFC 9068 section 2.2).
	ClientID string

	// Claims are added to both tokens and to those that refreshing gives, e.g.
	// roles. Claims that the issuer sets itself are refused.
	Claims map[string]any

	// Only says which other sessions are ended first, on every node. Of two
	// logins on different nodes that have not heard of each other, the one
	// with the later time stays; both stay if that is the same millisecond.
	Only Only
}

// Login returns the first tokens of a new session of subject. They are dated
// later than every revocation of the subject known to the Checker, so that "log
// out everywhere, log in again" works within one millisecond. Where that would
// be more than 5 s ahead, because some node's clock is, the error is ErrTooSoon;
// it is ErrRevoked if the client or the signing key is revoked for good, and an
// *rescind.InvalidError if subject or an option is not acceptable. ctx bounds
// the revocation that Only asks for. Safe for concurrent use.
func (i *Issuer) Login(ctx context.Context, subject string, o LoginOptions) (Pair, error) {
	switch {
	case subject == "":
		return Pair{}, &rescind.InvalidError{Field: "sub", Problem: "must not be empty"}
	case o.Only > OnePerClient:
		return Pair{}, &rescind.InvalidError{Field: "only", Problem: "is none of AnyNumber, OnePerSubject and OnePerClient"}
	case o.Only == OnePerClient && o.ClientID == "":
		return Pair{}, &rescind.InvalidError{Field: "client_id", Problem: "must not be empty with OnePerClient"}
	}
	s, err := newSession(subject, o)
	if err != nil {
		return Pair{}, err
	}
	switch o.Only {
	case OnePerSubject:
		err = i.LogoutAll(ctx, subject)
	case OnePerClient:
		err = i.endClientSessions(ctx, subject, o.ClientID)
	}
	if err != nil {
		return Pair{}, err
	}
	key := i.signer()
	if s.issued, err = i.issueTime(i.covering(&s, key.kid)); err != nil {
		return Pair{}, err
	}
	s.began = s.issued
	return i.mint(s, key)
}

// covering returns what revocations would see of an access token of s.
func (i *Issuer) covering(s *session, kid string) *Verified {
	v := &Verified{Token: rescind.Token{
		Issuer: i.config.Issuer, Session: s.id, Subject: s.subject, ClientID: s.clientID, KeyID: kid,
	}}
	if s.clientSession {
		v.clientSession = clientSessionID(s.subject, s.clientID)
	}
	return v
}

// issueTime returns the earliest instant from now on at which t is not covered
// by a revocation that the Checker knows.
func (i *Issuer) issueTime(t *Verified) (rescind.Millis, error) {
	at, ok := i.firstUncovered(t)
	switch {
	case ok:
		return at, nil
	case i.coveredAt(t, rescind.Ever):
		return 0, refuse(ErrRevoked, "revocation", "the client or the signing key is revoked for good")
	default:
		return 0, refuse(ErrTooSoon, "revocation", "the subject is revoked up to a time that lies too far ahead")
	}
}

// firstUncovered is issueTime without a reason where there is no such instant
// within maxAhead; at then is just beyond.
func (i *Issuer) firstUncovered(t *Verified) (at rescind.Millis, ok bool) {
	now := rescind.MillisOf(i.config.Now())
	return firstAfter(now, now.Add(maxAhead), func(m rescind.Millis) bool { return i.coveredAt(t, m) })
}

// coveredAt reports whether t would be revoked if it were issued at m.
func (i *Issuer) coveredAt(t *Verified, m rescind.Millis) bool {
	dated := *t
	dated.Token.IssuedAt = m
	return check(i.config.Checker, &dated) == rescind.Revoked
}

// firstAfter returns the first instant from from to to at which covered does
// not hold. What a revocation covers is monotone in the time of issue, so a
// binary search finds it.
func firstAfter(from, to rescind.Millis, covered func(rescind.Millis) bool) (first rescind.Millis, ok bool) {
	if !covered(from) {
		return from, true
	}
	n := int(to - from)
	ahead := sort.Search(n+1, func(k int) bool { return !covered(from + rescind.Millis(k)) })
	return from + rescind.Millis(ahead), ahead <= n
}

// LogoutAll ends every session of subject on every node: everything that it has
// been issued by now, also in this very millisecond. A login right afterwards,
// on this node or on one that has heard of it, is later and stands. Once
// LogoutAll returns nil it is durable as SignerConfig.Ack asks, or at least on
// this node; otherwise the error says why revoking failed, and is an
// *rescind.InvalidError for an unacceptable subject. Safe for concurrent use.
func (i *Issuer) LogoutAll(ctx context.Context, subject string) error {
	return i.endSessions(ctx, subject, 0)
}

// endSessions is LogoutAll, and covers at least what was issued at atLeast.
func (i *Issuer) endSessions(ctx context.Context, subject string, atLeast rescind.Millis) error {
	key := rescind.Key{Scope: rescind.ScopeSub, Issuer: i.config.Issuer, ID: subject}
	return i.supersede(ctx, key, atLeast, &Verified{Token: rescind.Token{Issuer: i.config.Issuer, Subject: subject}})
}

// endClientSessions ends the sessions of subject that were opened with
// OnePerClient at one client.
func (i *Issuer) endClientSessions(ctx context.Context, subject, clientID string) error {
	id := clientSessionID(subject, clientID)
	key := rescind.Key{Scope: rescind.ScopeJTI, Issuer: i.config.Issuer, ID: id}
	return i.supersede(ctx, key, 0, &Verified{Token: clientSessionToken(i.config.Issuer, id, 0)})
}

// supersede revokes key up to the earliest date that a session covered by it
// could now get, so that also one which was dated ahead is covered, and the
// next one will be dated later.
func (i *Issuer) supersede(ctx context.Context, key rescind.Key, atLeast rescind.Millis, covered *Verified) error {
	at, _ := i.firstUncovered(covered)
	at = max(at, atLeast)
	if err := i.revoke(ctx, rescind.Revocation{Key: key, IssuedBefore: at.Time()}); err != nil {
		return fmt.Errorf("token: ending sessions: %w", err)
	}
	return nil
}
