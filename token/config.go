package token

import (
	"log/slog"
	"net/http"
	"time"

	"rescind/token/jwks"
)

// Defaults of VerifierConfig.
const (
	DefaultLeeway        = 5 * time.Second
	DefaultMaxLifetime   = 30 * 24 * time.Hour // as cluster.Config.MaxLifetime
	DefaultMaxTokenBytes = 8 << 10
	DefaultMaxDepth      = 16
	DefaultCacheTokens   = 10_000
	DefaultCacheBytes    = 32 << 20
)

// The token types of the JOSE header's typ, in the form in which Verified.Type
// holds them.
const (
	TypeJWT     = "jwt"
	TypeAccess  = "at+jwt"       // RFC 9068
	TypeRefresh = "rt+jwt"       // refresh tokens of Issuer
	TypeOneTime = "once+jwt"     // one-time tokens of Issuer, for Consume only
	TypeLogout  = "logout+jwt"   // OpenID Connect Back-Channel Logout 1.0
	TypeEvent   = "secevent+jwt" // security events, RFC 8417

	// typeID is what an ID token that has typ JWT, or none, is taken for. No
	// Types can name it, so it is never an access token.
	typeID = "id token"
)

// IssuerConfig says whose tokens are trusted, for what and by which keys.
// Exactly one source of keys is needed: JWKSURL, JWKSFile, JWKS, Keys,
// HS256Secret or HS256SecretFile.
type IssuerConfig struct {
	// Issuer is compared with iss byte for byte. Required, and different from
	// that of every other issuer.
	Issuer string `json:"issuer" yaml:"issuer"`

	// Audience: aud must contain one of these. Empty accepts any aud or none.
	Audience []string `json:"audience" yaml:"audience"`

	// Algorithms that the issuer signs with: RS, PS, ES or HS with 256, 384 or
	// 512, or EdDSA. Required. HS goes with a secret, and only with one.
	Algorithms []string `json:"algorithms" yaml:"algorithms"`

	// JWKSURL is where the issuer publishes its keys: https, or http on
	// loopback. It is read in the background every 10 minutes and when a token
	// names an unknown kid, then at most every 10 s. Keys for other purposes
	// are skipped; a set with a dangerous key (private, symmetric, weak,
	// duplicate kid) is refused whole. The last good set is kept for as long as
	// no new one can be had.
	JWKSURL string `json:"jwks-url" yaml:"jwks-url"`

	// JWKSFile is a file with a JWK Set, read once by NewVerifier. A key that
	// can't verify signatures is an error.
	JWKSFile string `json:"jwks-file" yaml:"jwks-file"`

	// JWKS is a JWK Set, treated like the content of JWKSFile.
	JWKS []byte `json:"-" yaml:"-"`

	// Keys are the keys of an Issuer in this process; see Issuer.Trust.
	Keys *KeySet `json:"-" yaml:"-"`

	// HS256Secret is the secret for HS256, HS384 and HS512. It must be random
	// and have at least 32, 48 or 64 bytes. It has no kid: tokens that name one
	// are refused.
	HS256Secret []byte `json:"-" yaml:"-"`

	// HS256SecretFile is a file with that secret. A line break at the end of a
	// text is not part of it.
	HS256SecretFile string `json:"hs256-secret-file" yaml:"hs256-secret-file"`

	// DecryptionKeys let tokens of this issuer be encrypted: a signed token as
	// above, nested in a JWE. Empty refuses all encrypted tokens. Tokens that
	// are only signed are accepted all the same: encryption hides claims, it
	// proves nothing about who made them.
	DecryptionKeys []DecryptionKey `json:"-" yaml:"-"`

	// Types are the typ values of the access tokens, in any case and with or
	// without "application/"; "" stands for no typ. Empty means "", JWT and
	// at+jwt. Refresh, logout and ID tokens are never access tokens.
	Types []string `json:"types" yaml:"types"`

	// EventsOnly accepts nothing of this issuer but security events: for a
	// transmitter that issues no access tokens.
	EventsOnly bool `json:"events-only" yaml:"events-only"`

	// AllowNoExp accepts tokens without exp, which otherwise are refused. They
	// expire MaxLifetime after iat, and are refused if they have none either:
	// else they would outlive their revocation.
	AllowNoExp bool `json:"allow-no-exp" yaml:"allow-no-exp"`

	// StatusLists are where the issuer's Token Status Lists are
	// (draft-ietf-oauth-status-list): https URLs without a query, or http on
	// loopback. One that ends in / stands for every list below it, any other is
	// one list, which is fetched at the start. Of a token that refers to a list,
	// the status is then checked; one that refers to a list elsewhere is refused.
	// Empty: such references are not looked at.
	StatusLists []string `json:"status-lists" yaml:"status-lists"`

	// StatusKeysURL is where the keys that sign the lists are published, if they
	// are not those of the issuer: another party states the status. As JWKSURL.
	StatusKeysURL string `json:"status-jwks-url" yaml:"status-jwks-url"`

	// AcceptUnknownStatus accepts a token while its list can't be had. False
	// refuses it with ErrNotReady. A list that was had, but has expired, still
	// tells what was revoked.
	AcceptUnknownStatus bool `json:"accept-unknown-status" yaml:"accept-unknown-status"`

	// PublishedLists are the URIs of the status lists that the Checker's cluster
	// publishes for tokens of this issuer; see package httpapi. A token that
	// refers to one can also be revoked by that reference; see
	// StatusReference.Key.
	PublishedLists []string `json:"-" yaml:"-"`

	// AuthTime makes revocations compare with auth_time, where a token has it
	// and it is earlier than iat. Then a session that was refreshed on a node
	// that had not yet heard of "log out everywhere" is still logged out. Set
	// it only if users sign in afresh after a log-out. False compares with iat
	// alone.
	AuthTime bool `json:"auth-time" yaml:"auth-time"`
}

// VerifierConfig configures a Verifier. Checker is required. Without Issuers
// every token is refused.
type VerifierConfig struct {
	Issuers []IssuerConfig

	// Checker knows the revocations.
	Checker Checker

	// DangerouslyIgnoreRevocations allows Checker to be nil. Revoked tokens
	// are then accepted.
	DangerouslyIgnoreRevocations bool

	clock Checker // who knows whether the clock is right, where there is no Checker; may be nil

	// Leeway is the allowed clock difference to the issuers, for exp, nbf and
	// iat. 0 means DefaultLeeway; negative means none. At most
	// rescind.MaxLeeway, the time for which revocations outlive their tokens.
	Leeway time.Duration

	// MaxLifetime refuses tokens with exp more than this after iat, or after
	// now if they have no iat. 0 means DefaultMaxLifetime, or the Checker's if that
	// is less. It must not exceed the cluster's maximum lifetime, which is checked
	// where the Checker is a LifetimeChecker: a revocation of a session or a subject
	// lives that long, and no token may live longer. An issuer whose tokens
	// have no iat must not make longer-lived ones at all, since their age
	// can't be told.
	MaxLifetime time.Duration

	// MaxTokenBytes refuses longer tokens. 0 means DefaultMaxTokenBytes; negative is
	// refused.
	MaxTokenBytes int

	// MaxDepth refuses JSON that nests deeper. 0 means DefaultMaxDepth; negative is
	// refused.
	MaxDepth int

	// CacheTokens is how many verified tokens are remembered, so that a token
	// that comes again costs a look-up instead of a signature check. Times and
	// revocations are checked every time; a changed key set forgets all, and an
	// expired token is forgotten when it comes again. 0 means
	// DefaultCacheTokens; negative means none.
	CacheTokens int

	// CacheBytes bounds the memory that they occupy, to within some ten per
	// cent. 0 means DefaultCacheBytes; negative means that none is remembered.
	CacheBytes int

	// Now is the clock. nil means time.Now.
	Now func() time.Time

	// HTTPClient fetches key sets. nil means one with a time-out of 10 s. A
	// client without a time-out gets that one; redirects are followed only to
	// https.
	HTTPClient *http.Client

	// Logger is told when a key set can't be fetched and when it can again.
	// nil means slog.Default().
	Logger *slog.Logger
}

// remote says how the verifier fetches key sets.
func (c *VerifierConfig) remote() jwks.RemoteConfig {
	return jwks.RemoteConfig{Client: c.HTTPClient, Leeway: c.Leeway, Now: c.Now, Logger: c.Logger}
}
