package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rescind"
)

// Explain makes a node of the tests an Explainer.
func (n *node) Explain(t rescind.Token) (out []rescind.Finding) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, scope := range rescind.Scopes() {
		f := rescind.Finding{Scope: scope}
		if id := t.Value(scope); id != "" {
			if scope == rescind.ScopeIss {
				id = ""
			}
			f.Digest = rescind.MakeDigest(scope, 1, 2)
			f.Record, f.Held = n.records[rescind.Key{Scope: scope, Issuer: t.Issuer, ID: id}]
			f.Covers = f.Held && f.Record.Covers(t.IssuedAt)
		}
		out = append(out, f)
	}
	return out
}

// TestExplainNamesTheStep: each refusal is the failure of one step, with all
// before it passed and none after it reached.
func TestExplainNamesTheStep(t *testing.T) {
	good := signHS(hsHeader, payload(`"jti":"id"`))
	at := func(more string) string {
		return signHS(hsHeader, fmt.Sprintf(`{"iss":%q,"aud":%q%s}`, testIssuer, testAudience, more))
	}
	for _, c := range []struct {
		step, raw string
		verdict   rescind.Verdict
		describes bool // the signature is good, so that its claims may be told
	}{
		{"", good, rescind.Valid, true},
		{"size", strings.Repeat("a", DefaultMaxTokenBytes+1), rescind.Valid, false},
		{"form", "hello", rescind.Valid, false},
		{"header", "e30." + good[strings.IndexByte(good, '.')+1:], rescind.Valid, false},
		{"header", signHS(`{"alg":"none"}`, payload("")), rescind.Valid, false},
		{"claims", signHS(hsHeader, `{"iss":7}`), rescind.Valid, false},
		{"issuer", signHS(hsHeader, `{"iss":"https://elsewhere.example"}`), rescind.Valid, false},
		{"algorithm", signHS(`{"alg":"HS512"}`, payload("")), rescind.Valid, false},
		{"key", signHS(`{"alg":"HS256","kid":"another"}`, payload("")), rescind.Valid, false},
		{"signature", good[:len(good)-4] + "AAAA", rescind.Valid, false},
		{"type", signHS(`{"alg":"HS256","typ":"logout+jwt"}`, payload("")), rescind.Valid, true},
		{"audience", signHS(hsHeader, fmt.Sprintf(`{"iss":%q,"aud":"x","exp":%d}`, testIssuer, epoch.Add(time.Hour).Unix())), rescind.Valid, true},
		{"time", at(fmt.Sprintf(`,"iat":%d,"exp":%d`, epoch.Add(-2*time.Hour).Unix(), epoch.Add(-time.Hour).Unix())), rescind.Valid, true},
		{"time", at(fmt.Sprintf(`,"iat":%d`, epoch.Unix())), rescind.Valid, true},
		{"revocation", good, rescind.Revoked, true},
		{"revocation", good, rescind.Stale, true},
		{"status", signHS(hsHeader, payload(`"status":{"status_list":{"idx":1,"uri":"https://elsewhere.example/list"}}`)), rescind.Valid, true},
	} {
		t.Run(c.step, func(t *testing.T) {
			n := newNode(atEpoch)
			n.override = c.verdict
			v := newVerifier(t, n, nil, listIssuer(nil))
			e := v.Explain(c.raw)
			if _, err := v.Verify(c.raw); fmt.Sprint(err) != fmt.Sprint(e.Err) {
				t.Errorf("it explains %v; Verify says %v", e.Err, err)
			}
			want := Passed
			for _, s := range e.Steps {
				outcome := want
				if s.Check == c.step {
					outcome, want = Failed, NotReached
				}
				if s.Outcome != outcome {
					t.Errorf("%s: %s; want %s", s.Check, s.Outcome, outcome)
				}
			}
			if (c.step == "") != (want == Passed) {
				t.Errorf("no step is called %s", c.step)
			}
			if got := e.Verified != nil; got != c.describes || got != (e.Findings != nil) {
				t.Errorf("claims are told: %v, findings: %d; want %v", got, len(e.Findings), c.describes)
			}
		})
	}
}

// TestExplainFindsTheEntry: a token that is revoked by its entry in a list of ours.
func TestExplainFindsTheEntry(t *testing.T) {
	n, c := newNode(atEpoch), hsIssuer()
	c.PublishedLists = []string{listAt}
	v := newVerifier(t, n, nil, c)
	n.revoke(t, rescind.Revocation{Key: StatusReference{listAt, 1}.Key()})
	e := v.Explain(signHS(hsHeader, payload(`"status":{"status_list":{"idx":1,"uri":"`+listAt+`"}}`)))
	if !errors.Is(e.Err, ErrRevoked) || !slices.ContainsFunc(e.Findings, func(f Finding) bool { return f.Name == StatusEntry && f.Covers }) {
		t.Errorf("%v, %+v", e.Err, e.Findings)
	}
}

func TestExplainFindsEachScope(t *testing.T) {
	raw := signHS(hsHeader, payload(`"jti":"id","sid":"s","client_id":"app"`))
	for _, c := range []struct {
		scope rescind.Scope
		id    string
	}{{rescind.ScopeJTI, "id"}, {rescind.ScopeSID, "s"}, {rescind.ScopeSub, "alice"}, {rescind.ScopeClientID, "app"}, {rescind.ScopeIss, ""}} {
		n := newNode(atEpoch)
		v := newVerifier(t, n, nil, hsIssuer())
		n.revoke(t, rescind.Revocation{Key: rescind.Key{Scope: c.scope, Issuer: testIssuer, ID: c.id}})
		e := v.Explain(raw)
		if !errors.Is(e.Err, ErrRevoked) {
			t.Errorf("%v: %v", c.scope, e.Err)
		}
		for _, f := range e.Findings {
			if f.Covers != (f.Scope == c.scope) {
				t.Errorf("%v is revoked, and of %v it says %v", c.scope, f.Scope, f.Covers)
			}
			if lacks := f.Scope == rescind.ScopeKID; lacks != (f.Value == "") {
				t.Errorf("%v has the value %q", f.Scope, f.Value)
			}
		}
	}
}

// A name of ours is looked up, but told to nobody; and the second name of a
// session that is the only one at its client is looked up, too.
func TestExplainKeepsOurOwnNames(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	e := v.Explain(signHS(hsHeader, payload(`"client_id":"app","`+claimClientSession+`":true`)))
	if e.Err != nil || len(e.Findings) != 7 {
		t.Fatalf("%v, %d findings", e.Err, len(e.Findings))
	}
	for _, name := range []string{"jti", ClientSession} {
		i := slices.IndexFunc(e.Findings, func(f Finding) bool { return f.Name == name })
		if i < 0 || e.Findings[i].Value != "" || e.Findings[i].Digest == (rescind.Digest{}) {
			t.Errorf("%s: %+v", name, e.Findings)
		}
	}
}

// TestExplainTellsHowAnEncryptedTokenFailed: what is around a token is a step of
// its own.
func TestExplainTellsHowAnEncryptedTokenFailed(t *testing.T) {
	v := newVerifier(t, nil, nil, withKeys(dirKey()))
	inner := signHS(hsHeader, payload(""))
	for raw, want := range map[string]Outcome{
		encryptDir(t, inner, nil):                                                Passed,
		encryptDir(t, inner, map[string]any{"kid": "e"}):                         Failed,
		encrypt(t, inner, "dir", "A128GCM", []byte("0123456789abcdef"), nil):     Failed,
		encryptDir(t, inner, map[string]any{"iss": "https://elsewhere.example"}): Failed,
	} {
		e := v.Explain(raw)
		i := slices.IndexFunc(e.Steps, func(s Step) bool { return s.Check == "encryption" })
		if i < 0 || e.Steps[i].Outcome != want || (want == Passed) != (e.Err == nil) {
			t.Errorf("want %s, got %v and %+v", want, e.Err, e.Steps)
		}
	}
}
