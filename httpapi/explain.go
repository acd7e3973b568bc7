package httpapi

import (
	"net/http"
	"strings"
	"time"

	"rescind"
	"rescind/token"
)

// explainRequest is the body of POST /v1/explain.
type explainRequest struct {
	Token text `json:"token"`
}

// explanationJSON is a [token.Explanation] as operators read it.
type explanationJSON struct {
	Result string         `json:"result"` // as rescind_checks_total counts it
	Status int            `json:"status"` // what /v1/check answers
	Check  string         `json:"check"`  // which step refused the token; "" if none
	Reason string         `json:"reason"`
	Steps  []stepJSON     `json:"steps"`
	Token  *explainedJSON `json:"token"` // null unless its signature is good
	Scopes []findingJSON  `json:"scopes"`
}

type stepJSON struct {
	Check   string `json:"check"`
	Asks    string `json:"asks"`
	Outcome string `json:"outcome"`
}

type explainedJSON struct {
	Issuer    string     `json:"iss"`
	TokenID   string     `json:"jti,omitempty"`
	Session   string     `json:"sid,omitempty"`
	Subject   string     `json:"sub,omitempty"`
	ClientID  string     `json:"client_id,omitempty"`
	KeyID     string     `json:"kid,omitempty"`
	Type      string     `json:"typ,omitempty"`
	Algorithm string     `json:"alg"`
	Audience  []string   `json:"aud,omitempty"`
	IssuedAt  *time.Time `json:"issued_at"` // null: it does not say; what revocations are compared with
	ExpiresAt time.Time  `json:"expires_at"`
}

// findingJSON says what is held against one claim.
type findingJSON struct {
	Scope        string     `json:"scope"`
	Value        string     `json:"value,omitempty"`
	Digest       string     `json:"digest,omitempty"`
	Outcome      string     `json:"outcome"`
	IssuedBefore *time.Time `json:"issued_before,omitempty"` // left out: whenever it was issued
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`    // of the revocation
	Why          string     `json:"why"`
}

// explain says what this node makes of a token and why, scope by scope. Nothing
// of it is logged. It counts as no check.
func (a *API) explain(w http.ResponseWriter, r *http.Request) {
	var req explainRequest
	body, err := readBody(w, r, "application/json")
	if err == nil {
		err = decodeStrict(body, &req)
	}
	if err == nil && req.Token.value == "" {
		err = &rescind.InvalidError{Field: "token", Problem: "is missing"}
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, newExplanation(a.cfg.Verifier.Explain(req.Token.value)))
}

func newExplanation(e token.Explanation) explanationJSON {
	out := explanationJSON{Result: resultNames[resultValid], Status: http.StatusOK, Scopes: []findingJSON{}, Reason: "the token may be used right now"}
	if e.Err != nil {
		out.Result, out.Status, out.Reason = resultNames[resultOf(e.Err)], token.Status(e.Err), reasonOf(e.Err)
	}
	for _, s := range e.Steps {
		out.Steps = append(out.Steps, stepJSON{s.Check, s.Asks, string(s.Outcome)})
		if s.Outcome == token.Failed {
			out.Check = s.Check
		}
	}
	if e.Verified != nil {
		out.Token = newExplained(e.Verified)
	}
	for _, f := range e.Findings {
		out.Scopes = append(out.Scopes, newFinding(f))
	}
	return out
}

func newExplained(v *token.Verified) *explainedJSON {
	t := &v.Token
	out := &explainedJSON{
		Issuer: t.Issuer, TokenID: t.ID, Session: t.Session, Subject: t.Subject, ClientID: t.ClientID, KeyID: t.KeyID,
		Type: v.Type, Algorithm: v.Algorithm, Audience: v.Audience, ExpiresAt: t.ExpiresAt.Time(),
	}
	if strings.HasPrefix(t.ID, rescind.DerivedIDPrefix) {
		out.TokenID = "" // ours, not the issuer's
	}
	if t.IssuedAt != 0 {
		at := t.IssuedAt.Time()
		out.IssuedAt = &at
	}
	return out
}

func newFinding(f token.Finding) findingJSON {
	out := findingJSON{Scope: f.Name, Value: f.Value, Outcome: string(f.Outcome()), Why: f.Why()}
	if f.Digest != (rescind.Digest{}) {
		out.Digest = f.Digest.String()
	}
	if f.Held {
		expires := f.Record.ExpiresAt.Time()
		out.ExpiresAt = &expires
		if before := f.Record.IssuedBefore.Time(); !before.IsZero() {
			out.IssuedBefore = &before
		}
	}
	return out
}
