// Package httpapi is the HTTP face of one Rescind node: forward-auth, logout,
// admin, OAuth, health and metrics.
//
// It guarantees:
//   - A token that the node knows to be revoked is always answered by 401, and
//     "cannot know right now" always by 503, never by 401: clients throw their
//     refresh token away on a 401.
//   - A receipt (201 or 200) says that the revocation is durable here and on as
//     many nodes as were asked for. 202 says that it is durable here.
//   - No token, secret or identifier is written to a log, a metric or a
//     problem, save the name of the operator or client who revokes.
//   - Admin endpoints and introspection are closed unless an admin token, or
//     somebody else who may use them, is configured. Tokens count in the
//     Authorization header only.
//
// Requests are bounded: 64 KiB of body, uncompressed, of the stated media type;
// JSON without unknown or duplicate members. What operators send in bulk, and a
// backup, is read as it arrives, a bounded piece at a time. Errors are RFC 9457 problems, at
// the OAuth endpoints the errors of RFC 6749.
package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"rescind"
	"rescind/cluster"
	"rescind/httpapi/dashboard"
	"rescind/httpapi/ssf"
	"rescind/token"
)

// Node is what the API needs of a node; *cluster.Node is one. Its methods are
// safe for concurrent use.
type Node interface {
	// Check answers from memory, without waiting.
	Check(rescind.Token) rescind.Verdict

	// Revoke returns once the revocation is durable on this node and on as
	// many others as asked for. If ctx ends after the first and before the
	// second, it returns the receipt together with rescind.ErrUnconfirmed.
	Revoke(context.Context, rescind.Revocation, rescind.Ack) (rescind.Receipt, error)

	// Consume uses up a one-time token; see cluster.Node.
	Consume(context.Context, rescind.Token, rescind.Mode) error

	Status() cluster.Status

	// Watch returns the events from the moment of the call until ctx ends or
	// the node closes.
	Watch(ctx context.Context) iter.Seq[cluster.Event]
}

// Signer signs statements of this service; *token.KeySet is one.
type Signer interface {
	SignJWT(typ string, claims any) (string, error)
}

// Config says what an API serves. Node and Verifier are required.
type Config struct {
	Node     Node
	Verifier *token.Verifier

	// Issuer stands in for an iss that a revocation leaves out. Set it where
	// exactly one issuer is configured. Empty means that iss must be stated.
	Issuer string

	// AdminToken opens the admin endpoints and introspection to whoever sends
	// it as a bearer token. nil means that they are off.
	AdminToken []byte

	// TrustedProxies are the networks whose X-Forwarded-For tells the client's
	// address for the audit log. Empty believes none.
	TrustedProxies []netip.Prefix

	// AdminScope makes an operator of whoever has an access token that Verifier
	// accepts and that grants this scope; its sub is the name in the audit log.
	// Every issuer that Verifier trusts can then make operators. Empty means
	// that access tokens open no admin endpoint.
	AdminScope string

	// AdminRate is how many requests a second one operator may make to the
	// admin endpoints, and ClientRate how many log-outs and revocations may come
	// from one address; beyond that they are answered by 429. 0 means no limit.
	AdminRate, ClientRate float64

	// AnonymousRate is how many log-outs and revocations a second may come from one
	// public address by nothing but a token: at DELETE /v1/session, DELETE
	// /v1/sessions and /oauth2/revoke. It bounds no administrator and no client that
	// has authenticated, and nobody at a loopback or private address or at one of
	// TrustedProxies, behind which there may be many. 0 means no limit.
	AnonymousRate float64

	// Admins may use the admin endpoints besides the holder of AdminToken, each
	// with a token of its own.
	Admins []Admin

	// AdminCertificates makes operators by TLS client certificates, at servers whose
	// TLS settings are of ServerTLS. nil means that none counts.
	AdminCertificates *AdminCertificates

	// Clients may call the OAuth endpoints under their own name. Empty means
	// that possession of a token is enough to revoke it.
	Clients []Client

	// LogoutAudience says by issuer what aud its logout tokens must contain: the
	// client_id under which its relying parties are registered there. Logout
	// tokens of other issuers are refused.
	LogoutAudience map[string][]string

	// EventAudience says by issuer what aud its security events must contain (RFC
	// 8935). Events of other issuers are refused.
	EventAudience map[string][]string

	// EventSubjects says by issuer about the subjects and sessions of which other
	// issuers its security events may speak. Without it an issuer speaks for its
	// own alone, or it could log out anybody's.
	EventSubjects map[string][]string

	// EmailIsSubject takes the email address by which a security event may name
	// a subject for its sub. False refuses such events.
	EmailIsSubject bool

	// EventPolls returns what the pollers of security events have counted, for
	// metrics: of each [ssf.Poller] its Stats. nil means that there are none.
	EventPolls func() []ssf.PollStats

	// Transmitter tells receivers of security events what is revoked through this
	// API. nil means that nobody is told. Its Issuer is a URL under which clients
	// know this service. The caller closes it.
	Transmitter *ssf.Transmitter

	// Signer signs answers to introspection for callers that accept only such
	// (RFC 9701), as Name. nil means that there are none.
	Signer Signer

	// Name is the URL under which clients know this service: the issuer of what
	// Signer signs. Required with Signer.
	Name string

	// JWKS returns the public keys of a local issuer as a JWK Set, e.g.
	// token.KeySet.JWKS. nil means that there are none to show.
	JWKS func() ([]byte, error)

	// StatusLists are published at Name, signed by Signer, which they require.
	// Every node of the cluster publishes the same.
	StatusLists []StatusList

	// StatusTTL is how long readers may keep a status list, and for how long this
	// node keeps one before it makes it anew. A node that may be further behind
	// than this publishes none. 0 means DefaultStatusTTL; from 1 s to 1 h.
	StatusTTL time.Duration

	// Settings returns what became of the settings that this Config was made of,
	// for metrics and GET /v1/cluster. nil means that they are fixed.
	Settings func() SettingsStatus

	// Certificates returns until when the files with certificates are good that the
	// servers go by, for metrics and what is wrong. nil means that there are none.
	Certificates func() []Certificate

	// Rooms returns what clients may take of the process, for metrics: connections and
	// the like. nil means that the servers have no such bounds.
	Rooms func() []RoomStats

	// MaxLifetime is the longest lifetime of any token, as the node is
	// configured; a revocation may not reach beyond it. 0 means what the node says, or
	// 30 days where it says nothing; more than the node's is refused.
	MaxLifetime time.Duration

	// AckTimeout is how long a revocation waits for other nodes unless the
	// caller says otherwise. 0 means 2 s, and it is at most one minute.
	AckTimeout time.Duration

	// Issued returns what a local issuer has counted, e.g. token.Issuer.Stats,
	// for metrics. nil means that there is no issuer here.
	Issued func() token.Stats

	// Links are pages of the embedder's own that the dashboard leads to.
	Links []dashboard.Link

	// Version of the software, as metrics and the index show it. Empty means
	// "dev".
	Version string

	// Logger receives the audit trail and internal errors. nil means
	// slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.Node == nil {
		return c, errors.New("httpapi: Config.Node is nil")
	}
	if c.Verifier == nil {
		return c, errors.New("httpapi: Config.Verifier is nil")
	}
	most := rescind.MaxLifetimeLimit
	if n, ok := c.Node.(token.LifetimeChecker); ok {
		most = n.MaxLifetime()
		c.MaxLifetime = cmp.Or(c.MaxLifetime, most)
	}
	c.MaxLifetime = cmp.Or(c.MaxLifetime, 30*24*time.Hour)
	if c.MaxLifetime < 0 || c.MaxLifetime > most {
		return c, fmt.Errorf("httpapi: Config.MaxLifetime is %v; use at most %v", c.MaxLifetime, most)
	}
	if c.AckTimeout == 0 {
		c.AckTimeout = 2 * time.Second
	}
	if c.AckTimeout < 0 || c.AckTimeout > maxWait {
		return c, fmt.Errorf("httpapi: Config.AckTimeout is %v; use at most %v", c.AckTimeout, maxWait)
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

// API serves one node. It starts no goroutine and needs no closing; Run is the
// caller's.
type API struct {
	cfg Config // what of it rules hold is not here
	log *slog.Logger

	changing sync.Mutex            // held while the rules are replaced
	rules    atomic.Pointer[rules] // never nil

	logouts sync.Map // the jti of logout tokens that are being processed

	// refusalLogged is the second of the last log line about an admin request
	// that was refused: guessing must be visible, yet not fill the disk.
	refusalLogged atomic.Int64

	metrics   *metrics
	dashboard *dashboard.Dashboard
	signIns   *limit // by address
	draining  atomic.Bool
	drained   context.Context // ends with Drain
	drain     context.CancelFunc
}

// New returns the API of a node, or what is wrong with cfg.
func New(cfg Config) (*API, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &API{cfg: cfg, log: cfg.Logger}
	limits := new(limitsStats)
	a.rules.Store(&rules{stats: limits})
	if err := a.Reconfigure(cfg); err != nil {
		return nil, err
	}
	a.cfg.AdminToken, a.cfg.Admins, a.cfg.Clients = nil, nil, nil // the digests are enough
	a.drained, a.drain = context.WithCancel(context.Background())
	a.metrics = newMetrics(cfg, a.draining.Load, limits)
	a.dashboard = a.newDashboard()
	return a, nil
}

// Run keeps what the dashboard shows of the last minutes, and against what
// /v1/cluster judges what is wrong, until ctx ends. Without it both know the
// moment alone.
func (a *API) Run(ctx context.Context) { a.dashboard.Run(ctx) }
