package tokengrpc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"rescind"
	"rescind/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node answers every check with one verdict.
type node struct{ verdict atomic.Uint32 }

func (n *node) Check(rescind.Token) rescind.Verdict { return rescind.Verdict(n.verdict.Load()) }

func (n *node) set(v rescind.Verdict) { n.verdict.Store(uint32(v)) }

func (n *node) Revoke(context.Context, rescind.Revocation, rescind.Ack) (rescind.Receipt, error) {
	return rescind.Receipt{}, nil
}

// health stands for a service: Check answers SERVING to alice, and Watch sends
// one message for each one that it is asked for.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	more  chan struct{}
	ended chan error
}

func (h *health) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	claims, err := token.ClaimsFrom[struct {
		Subject string `json:"sub"`
	}](ctx)
	if err != nil {
		return nil, err
	}
	answer := &grpc_health_v1.HealthCheckResponse{}
	if claims.Subject == "alice" {
		answer.Status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	return answer, nil
}

func (h *health) Watch(_ *grpc_health_v1.HealthCheckRequest, s grpc_health_v1.Health_WatchServer) error {
	_, known := token.FromContext(s.Context())
	for range h.more {
		answer := &grpc_health_v1.HealthCheckResponse{}
		if known {
			answer.Status = grpc_health_v1.HealthCheckResponse_SERVING
		}
		if err := s.Send(answer); err != nil {
			h.ended <- err
			return err
		}
	}
	return nil
}

type rig struct {
	node   *node
	judge  *token.Verifier
	tokens token.Pair
	health *health
	client grpc_health_v1.HealthClient
}

func newRig(t *testing.T, opts ...Option) *rig {
	t.Helper()
	r := &rig{node: new(node), health: &health{more: make(chan struct{}), ended: make(chan error, 1)}}
	r.node.set(rescind.Valid)
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.SignerConfig{Issuer: "https://issuer.example", Keys: keys, Checker: r.node, Revoker: r.node})
	if err != nil {
		t.Fatal(err)
	}
	if r.tokens, err = issuer.Login(t.Context(), "alice", token.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{Issuers: []token.IssuerConfig{issuer.Trust()}, Checker: r.node})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	r.judge = v
	r.client = grpc_health_v1.NewHealthClient(serve(t, r.health, v, opts))
	return r
}

func serve(t *testing.T, h *health, v *token.Verifier, opts []Option) *grpc.ClientConn {
	t.Helper()
	server := grpc.NewServer(
		grpc.UnaryInterceptor(UnaryServerInterceptor(v, opts...)),
		grpc.StreamInterceptor(StreamServerInterceptor(v, opts...)))
	grpc_health_v1.RegisterHealthServer(server, h)
	pipe := bufconn.Listen(1 << 16)
	done := make(chan error, 1)
	go func() { done <- server.Serve(pipe) }()
	conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		close(h.more)
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}

// withBearer returns a context that sends these Authorization values.
func withBearer(t *testing.T, values ...string) context.Context {
	md := metadata.MD{}
	md.Append("authorization", values...)
	return metadata.NewOutgoingContext(t.Context(), md)
}

// call makes a unary call and starts a stream, and wants one code of both.
func (r *rig) call(t *testing.T, want codes.Code, values ...string) {
	t.Helper()
	answer, err := r.client.Check(withBearer(t, values...), new(grpc_health_v1.HealthCheckRequest))
	if status.Code(err) != want {
		t.Errorf("unary: %v; want %v", err, want)
	}
	if err == nil && answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Error("the handler does not know the subject")
	}
	if want == codes.OK {
		return
	}
	stream, err := r.client.Watch(withBearer(t, values...), new(grpc_health_v1.HealthCheckRequest))
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != want {
		t.Errorf("stream: %v; want %v", err, want)
	}
}

func TestCalls(t *testing.T) {
	r := newRig(t)
	good := "Bearer " + r.tokens.AccessToken
	r.call(t, codes.OK, good)
	r.call(t, codes.Unauthenticated)
	r.call(t, codes.Unauthenticated, good, good)
	r.call(t, codes.Unauthenticated, "Basic YTpi")
	r.call(t, codes.Unauthenticated, "Bearer ")
	r.call(t, codes.Unauthenticated, good[:len(good)-4]+"AAAA")
	r.call(t, codes.Unauthenticated, "Bearer "+r.tokens.RefreshToken)
	for verdict, want := range map[rescind.Verdict]codes.Code{
		rescind.Valid: codes.OK, rescind.Revoked: codes.Unauthenticated,
		rescind.Stale: codes.Unavailable, rescind.Unknown: codes.Unavailable, rescind.Verdict(9): codes.Unavailable,
	} {
		r.node.set(verdict)
		r.call(t, want, good)
	}
}

func TestAcceptStale(t *testing.T) {
	r := newRig(t, AcceptStale())
	good := "Bearer " + r.tokens.AccessToken
	for verdict, want := range map[rescind.Verdict]codes.Code{
		rescind.Stale: codes.OK, rescind.Revoked: codes.Unauthenticated, rescind.Unknown: codes.Unavailable,
	} {
		r.node.set(verdict)
		r.call(t, want, good)
	}
}

func TestPublicMethods(t *testing.T) {
	r := newRig(t, Public(grpc_health_v1.Health_Watch_FullMethodName))
	r.watchWithout(t)
}

// watchWithout streams without a token.
func (r *rig) watchWithout(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := r.client.Watch(ctx, new(grpc_health_v1.HealthCheckRequest))
	if err != nil {
		t.Fatal(err)
	}
	r.health.more <- struct{}{}
	if got, err := stream.Recv(); err != nil || got.Status != grpc_health_v1.HealthCheckResponse_UNKNOWN {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = r.client.Check(t.Context(), new(grpc_health_v1.HealthCheckRequest))
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("the other method: %v", err)
	}
}

// TestStreamsEndWithTheirToken: a log-out reaches a stream that is open.
func TestStreamsEndWithTheirToken(t *testing.T) {
	for verdict, want := range map[rescind.Verdict]codes.Code{
		rescind.Revoked: codes.Unauthenticated, rescind.Stale: codes.Unavailable,
	} {
		t.Run(verdict.String(), func(t *testing.T) {
			r := newRig(t)
			stream, err := r.client.Watch(withBearer(t, "Bearer "+r.tokens.AccessToken), new(grpc_health_v1.HealthCheckRequest))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				r.health.more <- struct{}{}
				if got, err := stream.Recv(); err != nil || got.Status != grpc_health_v1.HealthCheckResponse_SERVING {
					t.Fatalf("got %v, %v", got, err)
				}
			}
			r.node.set(verdict)
			r.health.more <- struct{}{}
			if _, err := stream.Recv(); status.Code(err) != want {
				t.Fatalf("error is %v; want %v", err, want)
			}
			if err := <-r.health.ended; !errors.Is(err, token.ErrRevoked) && !errors.Is(err, token.ErrStale) {
				t.Errorf("the handler got %v", err)
			}
		})
	}
}

// received is a stream whose only message has arrived.
type received struct {
	grpc.ServerStream
	err error
}

func (r received) RecvMsg(any) error { return r.err }

func TestReceivingIsJudged(t *testing.T) {
	r := newRig(t)
	v := r.verifier(t)
	s := &stream{received{}, t.Context(), newGuard(v, nil), bearer{raw: r.tokens.AccessToken}}
	if code := status.Code(s.RecvMsg(nil)); code != codes.Unauthenticated {
		t.Errorf("code %v", code)
	}
	s.ServerStream = received{err: io.EOF}
	if err := s.RecvMsg(nil); err != io.EOF {
		t.Errorf("error is %v", err)
	}
}

// verifier returns one that trusts nobody.
func (r *rig) verifier(t *testing.T) *token.Verifier {
	v, err := token.NewVerifier(t.Context(), token.VerifierConfig{Checker: r.node})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func TestCode(t *testing.T) {
	if Code(nil) != codes.OK || Code(errors.New("disk")) != codes.Internal || Code(rescind.ErrFull) != codes.Unavailable {
		t.Error("wrong codes")
	}
	if got := statusError(errors.New("secret detail")).Error(); got != "rpc error: code = Internal desc = the request could not be handled" {
		t.Errorf("got %q", got)
	}
}
