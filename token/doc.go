// Package token answers "may this JWT be used right now?" in one call:
// signature, claims and revocation. It also issues tokens that can be revoked
// well, and wraps net/http handlers.
//
// # What it guarantees
//
//   - One token has one identity. Before any library sees a token, a strict
//     pre-parse refuses whatever two readers could read differently: duplicate
//     or case-variant names, invalid UTF-8, base64 with spare bits, trailing
//     data, null, numbers out of range. A token without jti is named by a digest
//     of its signing input, never of its signature, because signatures are
//     malleable.
//   - The key decides the algorithm. A token is verified only with an algorithm
//     that its issuer's allow-list, the key's type, its curve and its alg agree
//     on. "none" is no algorithm. Keys named inside a token (jwk, jku, x5u, x5c)
//     are neither used nor fetched.
//   - [Verifier.Verify] always asks the [Checker]. There is no way to leave the
//     revocation check out by accident.
//   - Verifying does no I/O and waits for nothing: keys come from a snapshot that
//     a background loop renews. Only who presents the version of a revocation
//     is held up until the node has it, within a bound ([Verifier.VerifyFresh]).
//   - Where an issuer has status lists (draft-ietf-oauth-status-list), what they
//     say is judged on every use, also of a token that is remembered; they are
//     fetched by background loops, within bounds, from the issuer's own URLs.
//   - "Cannot know" is not "invalid". [ErrStale] and [ErrNotReady] become 503,
//     everything else 401, since clients throw their refresh token away on 401.
//   - A refresh token has one successor. Presenting it again gives the same
//     tokens within a short grace and ends the session afterwards, on every
//     node; see [Issuer.Refresh].
//   - A one-time token works once ([Verifier.Consume]), as far as the mode that
//     the caller chooses promises; those of [Issuer.OneTime] open nothing else.
//   - Rotating the signing keys logs nobody out; see [Rotation].
//   - A session ends at its hard end, whatever was refreshed, and at once when it
//     is logged out: this one ([Issuer.Logout]), all ([Issuer.LogoutAll]), all
//     others ([Issuer.LogoutOthers]), those with the old password
//     ([Issuer.PasswordChanged]), or those that a new login displaces ([Only]).
//   - Encrypting a token gives it no second identity. It is off unless an issuer
//     has [IssuerConfig].DecryptionKeys; passwords (PBES2) and compression are
//     never accepted.
//   - No error and no log line holds a token, a secret or the value of a claim.
//
// # What it costs
//
// On top of the signature check, a token of 400 bytes costs less than five
// microseconds and 2 kB of garbage, a third of what golang-jwt spends; one that
// was seen before costs a quarter of a microsecond in all (BenchmarkVerify, AMD
// EPYC, Go 1.26). Before the signature is known to be good, at most
// [VerifierConfig].MaxTokenBytes are decoded, once, into no maps.
//
// # Sources
//
// RFC 7515 to 7519 and 8037 (JOSE), RFC 6979 (the signatures of [Issuer] are
// deterministic), RFC 8725 (best current practices,
// from which most refusals are taken), RFC 9068 (access tokens), RFC 6750
// (bearer tokens), RFC 9457 (problem details), RFC 9700 (refresh rotation).
// Signatures are checked by github.com/golang-jwt/jwt/v5, JSON is read by
// github.com/go-json-experiment/json, key material and encrypted tokens by
// github.com/go-jose/go-jose/v4.
package token

import (
	"context"
	"time"

	"rescind"
)

// Checker answers whether a token is revoked. *cluster.Node is one. Check must
// not block and must be safe for concurrent use; it is called on every
// verification.
type Checker interface {
	Check(rescind.Token) rescind.Verdict
}

// LifetimeChecker is a Checker that says for how long a revocation is remembered
// that names no expiry; *cluster.Node is one. A token that lives longer would be good
// again when its session's revocation has gone: constructors refuse such lifetimes.
type LifetimeChecker interface {
	Checker

	// MaxLifetime returns the longest lifetime of any token. It never changes.
	MaxLifetime() time.Duration
}

// remembered returns for how long c remembers, as far as it says so.
func remembered(c Checker) time.Duration {
	if l, ok := c.(LifetimeChecker); ok {
		return l.MaxLifetime()
	}
	return rescind.MaxLifetimeLimit
}

// Revoker makes a revocation durable and spreads it. *cluster.Node is one. Once
// Revoke returns without an error, or with [rescind.ErrUnconfirmed], the
// revocation is on the accepting node's disk and its own Check knows it.
type Revoker interface {
	Revoke(context.Context, rescind.Revocation, rescind.Ack) (rescind.Receipt, error)
}
