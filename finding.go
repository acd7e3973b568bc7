package rescind

// Finding is what a node holds against one claim of a token: the answer to "why
// is it refused?", scope by scope. A check asks the same questions, but stops at
// the first that refuses and keeps nothing.
type Finding struct {
	Scope  Scope
	Digest Digest // what is looked up; empty where the token lacks the claim
	Held   bool   // a live record of it is here
	Record Record // that record, if Held
	Covers bool   // the record refuses this token
}
