// Package jwks holds the keys with which signatures are verified: it reads JWK Sets
// (RFC 7517) from a file, inline, or a URL, and refuses every key that is weak,
// malformed, private or for something else, before anything trusts it. It knows the
// algorithms of RFC 7518 and RFC 8037 and what each asks of a key.
//
// A [Set] and a [Key] are immutable and may be used by any number of goroutines.
package jwks
