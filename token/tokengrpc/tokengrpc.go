// Package tokengrpc lets gRPC calls through only with a bearer token that a
// [token.Verifier] accepts: what [token.Middleware] does for HTTP. It is a
// package of its own so that who serves HTTP only does not compile gRPC.
//
// # What it guarantees
//
//   - A handler runs only for a token that is acceptable right now. It finds the
//     token with [token.FromContext] and its claims with [token.ClaimsFrom].
//   - codes.Unauthenticated means that the token can't be used: none, malformed,
//     invalid, expired or revoked. codes.Unavailable means that this node can't
//     know now, and that trying again may help: clients must not throw their
//     refresh token away over it.
//   - A stream is judged again with every message that it receives or sends: a
//     session that is logged out, or a token that expires, ends its streams with
//     the next message. That costs as much as a token that comes again, well
//     below a microsecond; with [token.VerifierConfig].CacheTokens negative, a
//     signature check. A stream on which nothing moves is not interrupted, unless
//     [EndWithToken] is given.
//   - No error holds a token or the value of a claim.
//
// The token is read from the metadata "authorization" (RFC 6750 section 2.1).
// With "rescind-version" and "rescind-max-staleness" a call may ask for more than
// the options do: see [token.VersionHeader] and [token.MaxStalenessHeader]. What
// can't be read there is codes.InvalidArgument. A stream waits for its version
// once, at its beginning; its bound holds for every message.
package tokengrpc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"rescind/internal/problem"
	"rescind/token"
)

// Option changes what the interceptors do.
type Option func(*guard)

// AcceptStale lets tokens pass that no known revocation covers even where the
// node's policy is to reject while it may be behind, as token.AcceptStale does.
// A token known to be revoked is refused all the same, and so is everything
// until the node is ready.
func AcceptStale() Option {
	return func(g *guard) { g.fresh.AcceptStale = true }
}

// MaxStaleness refuses tokens with codes.Unavailable where the node may be
// further behind than max or can't tell, as token.MaxStaleness does. 0 means no
// bound.
func MaxStaleness(max time.Duration) Option {
	return func(g *guard) { g.fresh.MaxStaleness = max }
}

// Require refuses tokens that do not meet q: codes.PermissionDenied for another
// issuer or where a scope is missing, codes.Unauthenticated for another audience.
func Require(q token.Requirement) Option {
	q = q.And(token.Requirement{}) // a copy
	return func(g *guard) { g.require = g.require.And(q) }
}

// EndWithToken ends a stream as soon as its token is revoked or expires, also one
// on which nothing moves: its context is cancelled, and RecvMsg returns
// codes.Unauthenticated. w is usually the Checker.
func EndWithToken(w token.Watcher) Option {
	return func(g *guard) { g.watcher = w }
}

// Public names methods that need no token, in full as in
// "/grpc.health.v1.Health/Check". What their callers send is not looked at.
func Public(methods ...string) Option {
	kept := make([]string, len(methods))
	for i, m := range methods {
		kept[i] = strings.Clone(m)
	}
	return func(g *guard) { g.public = append(g.public, kept...) }
}

// UnaryServerInterceptor guards calls that are not streams. v must not be nil.
// It is safe for concurrent use.
func UnaryServerInterceptor(v *token.Verifier, opts ...Option) grpc.UnaryServerInterceptor {
	g := newGuard(v, opts)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if slices.Contains(g.public, info.FullMethod) {
			return next(ctx, req)
		}
		ctx, _, err := g.admit(ctx)
		if err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

// StreamServerInterceptor guards streams, from the first message to the last. v
// must not be nil. It is safe for concurrent use.
func StreamServerInterceptor(v *token.Verifier, opts ...Option) grpc.StreamServerInterceptor {
	g := newGuard(v, opts)
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if slices.Contains(g.public, info.FullMethod) {
			return next(srv, ss)
		}
		ctx, bearer, err := g.admit(ss.Context())
		if err != nil {
			return err
		}
		s := &stream{ServerStream: ss, ctx: ctx, guard: g, bearer: bearer}
		if g.watcher != nil {
			verified, _ := token.FromContext(ctx) // admit put it there
			var stop func()
			s.ctx, stop = token.UntilRevoked(ctx, g.watcher, verified)
			defer stop()
		}
		return next(srv, s)
	}
}

// guard is what the interceptors share.
type guard struct {
	verifier *token.Verifier
	fresh    token.Freshness
	require  token.Requirement
	watcher  token.Watcher // nil: an idle stream outlives its token
	public   []string
}

func newGuard(v *token.Verifier, opts []Option) *guard {
	g := &guard{verifier: v}
	for _, o := range opts {
		o(g)
	}
	return g
}

// The metadata by which a call asks for more than the options do.
var (
	versionKey   = strings.ToLower(token.VersionHeader)
	stalenessKey = strings.ToLower(token.MaxStalenessHeader)
)

// bearer is a caller's token, and how fresh its checks must be.
type bearer struct {
	raw   string
	fresh token.Freshness
}

// admit returns the caller's token and a context that knows what it says.
func (g *guard) admit(ctx context.Context) (context.Context, bearer, error) {
	raw, err := token.BearerOf(metadata.ValueFromIncomingContext(ctx, "authorization"))
	if err != nil {
		return nil, bearer{}, statusError(err)
	}
	fresh := g.fresh.Tighten(metadata.ValueFromIncomingContext(ctx, versionKey), metadata.ValueFromIncomingContext(ctx, stalenessKey))
	verified, err := g.verifier.VerifyFresh(ctx, raw, fresh)
	if err == nil {
		err = g.require.Check(verified)
	}
	if err != nil {
		return nil, bearer{}, statusError(err)
	}
	fresh.Version = "" // held now, and for good
	return token.NewContext(ctx, verified), bearer{raw, fresh}, nil
}

// stream is a ServerStream whose token is judged with every message.
type stream struct {
	grpc.ServerStream
	ctx    context.Context
	guard  *guard
	bearer bearer
}

func (s *stream) Context() context.Context { return s.ctx }

// RecvMsg judges after receiving: the wait for a message may be long.
func (s *stream) RecvMsg(m any) error {
	if err := s.receive(m); err != nil {
		return err
	}
	return s.judge()
}

// receive waits for a message, or with EndWithToken until the token ends. The
// goroutine that then still waits ends with the stream, which ends when the
// handler returns the error that it got.
func (s *stream) receive(m any) error {
	if s.guard.watcher == nil {
		return s.ServerStream.RecvMsg(m)
	}
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }()
	select {
	case err := <-received:
		return err
	case <-s.ctx.Done():
		if err := context.Cause(s.ctx); !errors.Is(err, context.Canceled) {
			return statusError(err)
		}
		return <-received // the stream has ended, and says why
	}
}

func (s *stream) SendMsg(m any) error {
	if err := s.judge(); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

func (s *stream) judge() error {
	_, err := s.guard.verifier.VerifyFresh(s.ctx, s.bearer.raw, s.bearer.fresh)
	return statusError(err)
}

// Code returns the code for an error of package token, or of a node: OK for nil,
// Unauthenticated where token.Status is 401, or 400 because of the token,
// InvalidArgument where it is 400 because of other metadata, Unavailable where
// it is 503, PermissionDenied where it is 403, AlreadyExists for a one-time token
// that was used before, FailedPrecondition for what is not configured here,
// DeadlineExceeded for rescind.ErrUnconfirmed, and Internal for anything else.
func Code(err error) codes.Code { return codes.Code(problem.Of(err).GRPC) }

// statusError returns err as clients see it: only a *token.Error or a
// *rescind.InvalidError is described by its own words.
func statusError(err error) error {
	if err == nil {
		return nil
	}
	_, reason := problem.Describe(err)
	return &refusal{status.New(Code(err), reason), err}
}

// refusal is a gRPC status that still matches the sentinels of package token,
// for interceptors further out.
type refusal struct {
	status *status.Status
	err    error
}

func (r *refusal) Error() string              { return r.status.Err().Error() }
func (r *refusal) GRPCStatus() *status.Status { return r.status }
func (r *refusal) Unwrap() error              { return r.err }
