package token

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Option changes what Middleware does.
type Option func(*middleware)

// Realm names the protected area in challenges. The default is "rescind".
func Realm(realm string) Option {
	realm = strings.Clone(realm)
	return func(m *middleware) { m.realm = realm }
}

// AcceptStale lets tokens pass that no known revocation covers even where the
// node's policy is to reject while it may be behind: for routes where being
// available matters more. A token known to be revoked is refused all the same,
// and so is everything until the node is ready.
func AcceptStale() Option {
	return func(m *middleware) { m.fresh.AcceptStale = true }
}

// MaxStaleness refuses tokens with ErrStale, a 503, where the node may be
// further behind than max or can't tell, whatever the node's policy: for routes
// where a missed log-out costs most. A token known to be revoked is refused as
// such. It is usually below 500 ms; a bound below that refuses nearly all. 0
// means no bound.
func MaxStaleness(max time.Duration) Option {
	return func(m *middleware) { m.fresh.MaxStaleness = max }
}

// ErrorHandler answers requests that are refused, instead of WriteError.
func ErrorHandler(h func(http.ResponseWriter, *http.Request, error)) Option {
	return func(m *middleware) { m.onError = h }
}

// TokenFrom says where tokens may be, in the order in which they are looked for.
// The default is [Bearer] alone.
func TokenFrom(extractors ...Extractor) Option {
	return func(m *middleware) { m.extract = firstOf(extractors) }
}

// RequireIssuer refuses tokens of any other issuer, with ErrIssuer, a 403: for
// routes of a service that trusts several.
func RequireIssuer(issuer string) Option {
	return func(m *middleware) { m.require = m.require.And(Requirement{Issuer: []string{issuer}}) }
}

// RequireAudience refuses tokens whose aud lacks one of these, with ErrAudience,
// a 401.
func RequireAudience(audience ...string) Option {
	q := Requirement{Audience: owned(audience)}
	return func(m *middleware) { m.require = m.require.And(q) }
}

// RequireScope refuses tokens that lack one of these scopes, with ErrScope, a
// 403.
func RequireScope(scope ...string) Option {
	q := Requirement{Scope: owned(scope)}
	return func(m *middleware) { m.require = m.require.And(q) }
}

// DangerouslySkip lets the requests that open reports pass without a token. Such
// a request has no token in its context, also where it sent one.
func DangerouslySkip(open func(*http.Request) bool) Option {
	return func(m *middleware) { m.open = open }
}

type middleware struct {
	verifier *Verifier
	realm    string
	extract  Extractor
	fresh    Freshness
	require  Requirement
	open     func(*http.Request) bool // nil: none
	watcher  Watcher                  // nil: a request outlives its token
	onError  func(http.ResponseWriter, *http.Request, error)
}

// Middleware lets a request through to the handler only with a token
// that v accepts, which the handler finds with FromContext. Other requests get
// the answer of WriteError: 401 without a good token, 403 without a required
// scope, 503 while this node can't know. A request may ask for more than the route does with VersionHeader and
// MaxStalenessHeader, and is then held up for as long as the Checker's WaitFor
// does.
func Middleware(v *Verifier, opts ...Option) func(http.Handler) http.Handler {
	m := &middleware{verifier: v, realm: "rescind", extract: Bearer}
	for _, o := range opts {
		o(m)
	}
	if m.onError == nil {
		m.onError = func(w http.ResponseWriter, _ *http.Request, err error) { WriteError(w, err, m.realm) }
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, next) })
	}
}

func (m *middleware) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if m.open != nil && m.open(r) {
		next.ServeHTTP(w, r)
		return
	}
	verified, err := m.admit(r)
	if err != nil {
		m.onError(w, r, err)
		return
	}
	if m.watcher != nil {
		m.serveUntilRevoked(w, r, verified, next)
		return
	}
	next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), verified)))
}

// admit judges the token of r and what the route requires of it.
func (m *middleware) admit(r *http.Request) (*Verified, error) {
	raw, err := m.extract(r)
	if err != nil {
		return nil, err
	}
	fresh := m.fresh.Tighten(r.Header[VersionHeader], r.Header[MaxStalenessHeader])
	verified, err := m.verifier.VerifyFresh(r.Context(), raw, fresh)
	if err != nil {
		return nil, err
	}
	return verified, m.require.Check(verified)
}

// Bearer returns the token of the Authorization header (RFC 6750 section 2.1).
// The error is ErrNoToken if there is none or it is of another scheme, and
// ErrRequest if there are several: servers disagree on which one counts. Tokens
// in the query or the body are not looked at.
func Bearer(r *http.Request) (string, error) {
	return BearerOf(r.Header.Values("Authorization"))
}

// BearerOf is Bearer for the values of an Authorization header that came by
// another way, such as the metadata of gRPC.
func BearerOf(values []string) (string, error) {
	if len(values) > 1 {
		return "", refuse(ErrRequest, "request", "there is more than one Authorization header")
	}
	if len(values) == 0 {
		return "", refuse(ErrNoToken, "request", "a bearer token is required")
	}
	scheme, raw, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", refuse(ErrNoToken, "request", "a bearer token is required")
	}
	raw = strings.Trim(raw, " ")
	if raw == "" || strings.ContainsAny(raw, " ,\t") {
		return "", refuse(ErrRequest, "request", "the Authorization header does not hold exactly one token")
	}
	return raw, nil
}

type contextKey struct{}

// NewContext returns a context in which FromContext and ClaimsFrom find v. It is
// for adapters that do what Middleware does for other protocols; v must come
// from Verify, VerifyFresh or VerifyAcceptingStale.
func NewContext(ctx context.Context, v *Verified) context.Context {
	return context.WithValue(ctx, contextKey{}, v)
}

// FromContext returns the token with which Middleware let a request through.
func FromContext(ctx context.Context) (*Verified, bool) {
	v, ok := ctx.Value(contextKey{}).(*Verified)
	return v, ok
}

// ClaimsFrom decodes the claims of the token with which Middleware let a
// request through. The error is ErrNoToken if ctx does not come from there, and
// else that of Verified.Decode.
func ClaimsFrom[T any](ctx context.Context) (claims T, err error) {
	v, ok := FromContext(ctx)
	if !ok {
		return claims, errors.Join(errors.New("token: the request did not pass the middleware"), ErrNoToken)
	}
	err = v.Decode(&claims)
	return claims, err
}
