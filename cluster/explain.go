package cluster

import "rescind"

// Explain returns what this node holds against each claim of a token whose
// signature has been verified, in the order of rescind.Scopes. It answers from
// memory like Check, but allocates and waits for writers: it is for people who
// ask, not for requests. A revocation that arrives between a Check and Explain
// shows in the later of them.
func (n *Node) Explain(t rescind.Token) []rescind.Finding {
	findings := make([]rescind.Finding, 0, rescind.NumScopes-1)
	for _, scope := range rescind.Scopes() {
		f := rescind.Finding{Scope: scope}
		if id := t.Value(scope); id != "" {
			f.Digest = n.set.Digest(rescind.Key{Scope: scope, Issuer: t.Issuer, ID: id})
			f.Record, f.Held = n.set.Lookup(f.Digest)
			f.Covers = f.Held && f.Record.Covers(t.IssuedAt)
		}
		findings = append(findings, f)
	}
	return findings
}
