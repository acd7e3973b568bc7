package token

import (
	"errors"
	"slices"
	"strings"

	"rescind"
)

// Explainer is a Checker that can say why; *cluster.Node is one.
type Explainer interface {
	// Explain returns what is held against each claim of a verified token.
	Explain(rescind.Token) []rescind.Finding
}

// Explanation says what Verify makes of a token, and why. It holds claims of the
// token, but not the token.
type Explanation struct {
	Err   error  // what Verify returns; nil: the token may be used right now
	Steps []Step // in the order in which Verify takes them

	// Verified is nil unless the signature is good: what an unsigned token says
	// proves nothing about anybody.
	Verified *Verified

	// Findings are by claim, and nil without Verified or where the Checker is no
	// Explainer. They may be there for a token that has expired, too.
	Findings []Finding
}

// Finding is a rescind.Finding with the claim's value.
type Finding struct {
	rescind.Finding

	// Name is the claim, or ClientSession or StatusEntry.
	Name  string
	Value string // "" where the token lacks the claim, or has no value that means something elsewhere
}

// What a look-up of one claim gives.
const (
	Absent      FindingOutcome = "absent"      // the token lacks the claim
	NotRevoked  FindingOutcome = "not-revoked" // no record is held
	IssuedLater FindingOutcome = "newer"       // a record is held, but covers only tokens that were issued earlier
	CoveredBy   FindingOutcome = "revoked"     // a record covers the token
)

// FindingOutcome is one of the above.
type FindingOutcome string

// Outcome says in one word what was found.
func (f Finding) Outcome() FindingOutcome {
	switch {
	case f.Digest == rescind.Digest{}:
		return Absent
	case !f.Held:
		return NotRevoked
	case !f.Covers:
		return IssuedLater
	default:
		return CoveredBy
	}
}

// Why says the same in a sentence for people.
func (f Finding) Why() string {
	switch f.Outcome() {
	case Absent:
		return "the token has no such claim"
	case NotRevoked:
		return "no revocation of it is known here"
	case IssuedLater:
		return "tokens that were issued earlier are revoked; this one was issued later"
	}
	switch _, used := f.Record.Use(); {
	case used:
		return "it is a one-time token that has been used"
	case f.Record.IssuedBefore.Time().IsZero():
		return "it is revoked, whenever the token was issued"
	default:
		return "tokens that were issued up to then are revoked, and this one was"
	}
}

// ClientSession is the Name of the second name under which a token is revoked
// that Issuer.Login with OnePerClient minted: that of its subject's sessions at
// its client.
const ClientSession = "client_session"

// StatusEntry is the Name of the second name under which a token is revoked that
// refers to a status list of IssuerConfig.PublishedLists.
const StatusEntry = "status_list"

// Step is one check of a token.
type Step struct {
	Check   string // as in Error.Check
	Asks    string // the question, in words
	Outcome Outcome
}

// Outcome is what became of a Step.
type Outcome string

const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	NotReached Outcome = "not reached" // an earlier step refused the token
)

// steps are in the order of authenticate and judge.
var steps = []Step{
	{Check: "size", Asks: "Is it short enough?"},
	{Check: "form", Asks: "Is it a JWT: three parts in base64url?"},
	{Check: "encryption", Asks: "Can it be decrypted here?"},
	{Check: "header", Asks: "Can its header be read, and is its algorithm known?"},
	{Check: "claims", Asks: "Can its claims be read, and have they the right types?"},
	{Check: "issuer", Asks: "Is its issuer (iss) trusted here?"},
	{Check: "algorithm", Asks: "May this issuer use its algorithm (alg)?"},
	{Check: "key", Asks: "Is the key that signed it (kid) known?"},
	{Check: "signature", Asks: "Is its signature good?"},
	{Check: "type", Asks: "Is it an access token (typ)?"},
	{Check: "audience", Asks: "Is it meant for this audience (aud)?"},
	{Check: "time", Asks: "Is it valid now (exp, nbf, iat), and not for too long?"},
	{Check: "revocation", Asks: "Has nobody revoked it?"},
	{Check: "status", Asks: "Does the status list that it refers to call it valid?"},
}

// Explain judges raw as Verify does and says how it came to that. It is for
// people who ask: it allocates, and waits for writers of the set of revocations.
func (v *Verifier) Explain(raw string) Explanation {
	var e Explanation
	_, e.Err = v.Verify(raw)
	verified, err := v.VerifyIgnoringRevocation(raw, Inspection{AllowExpired: true, AllowNoExp: true, Types: []string{TypeRefresh, TypeOneTime, TypeLogout, TypeEvent, typeID}, AnyAudience: true})
	if err == nil {
		e.Verified, e.Findings = verified, v.findings(verified)
	}
	if e.Err == nil && slices.ContainsFunc(e.Findings, func(f Finding) bool { return f.Covers }) {
		_, e.Err = v.Verify(raw) // it was revoked in between
	}
	e.Steps = v.stepsOf(raw, e.Err)
	return e
}

func (v *Verifier) findings(t *Verified) []Finding {
	explainer, ok := v.config.Checker.(Explainer)
	if !ok {
		return nil
	}
	var findings []Finding
	for _, f := range explainer.Explain(t.Token) {
		value := t.Token.Value(f.Scope)
		if strings.HasPrefix(value, rescind.DerivedIDPrefix) {
			value = "" // ours, not the issuer's
		}
		findings = append(findings, Finding{Finding: f, Name: f.Scope.String(), Value: value})
	}
	names, n := t.aliases()
	for _, alias := range names[:n] {
		name := ClientSession
		if alias.Issuer == t.published.Issuer {
			name = StatusEntry
		}
		for _, f := range explainer.Explain(alias) {
			if f.Scope == rescind.ScopeJTI {
				findings = append(findings, Finding{Finding: f, Name: name})
			}
		}
	}
	return findings
}

// stepsOf marks the steps of a token for which Verify returned err.
func (v *Verifier) stepsOf(raw string, err error) []Step {
	failed := ""
	if refusal, ok := errors.AsType[*Error](err); ok {
		failed = refusal.Check
	}
	outcome := Passed
	var out []Step
	for _, s := range steps {
		if s.Check == "encryption" && !v.looksEncrypted(raw) {
			continue
		}
		if s.Outcome = outcome; s.Check == failed {
			s.Outcome, outcome = Failed, NotReached
		}
		out = append(out, s)
	}
	return out
}
