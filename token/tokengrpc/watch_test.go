package tokengrpc

import (
	"context"
	"errors"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"rescind"
	"rescind/token"
)

// watcher hands out what ends the one watch.
type watcher chan func()

func (w watcher) WatchToken(_ rescind.Token, revoked func()) (stop func()) {
	w <- revoked
	return func() {}
}

// idle is a stream on which, after its first message, nothing moves. Its handler
// waits for the next message, or only for its context.
func idle(started chan<- bool, forContext bool) *grpc.ServiceDesc {
	handler := func(_ any, s grpc.ServerStream) error {
		if err := s.RecvMsg(new(grpc_health_v1.HealthCheckRequest)); err != nil {
			return err
		}
		started <- true
		if forContext {
			<-s.Context().Done()
			if !errors.Is(context.Cause(s.Context()), token.ErrRevoked) {
				return errors.New("the context does not tell why it has ended")
			}
		}
		return s.RecvMsg(new(grpc_health_v1.HealthCheckRequest))
	}
	return &grpc.ServiceDesc{ServiceName: "test.Idle", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "Idle", Handler: handler, ServerStreams: true, ClientStreams: true},
	}}
}

// TestEndWithToken: a stream on which nothing moves ends when its token does.
func TestEndWithToken(t *testing.T) {
	for _, forContext := range []bool{false, true} {
		w, started := make(watcher, 1), make(chan bool, 1)
		r := newRig(t)
		server := grpc.NewServer(grpc.StreamInterceptor(StreamServerInterceptor(r.judge, EndWithToken(w))))
		server.RegisterService(idle(started, forContext), nil)
		pipe := bufconn.Listen(1 << 16)
		served := make(chan error, 1)
		go func() { served <- server.Serve(pipe) }()
		conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		stream, err := conn.NewStream(withBearer(t, "Bearer "+r.tokens.AccessToken), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Idle/Idle")
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SendMsg(new(grpc_health_v1.HealthCheckRequest)); err != nil {
			t.Fatal(err)
		}
		<-started
		(<-w)()
		if err := stream.RecvMsg(new(grpc_health_v1.HealthCheckResponse)); status.Code(err) != codes.Unauthenticated {
			t.Errorf("the stream ends with %v", err)
		}
		conn.Close()
		server.Stop()
		<-served
	}
}

func TestRequire(t *testing.T) {
	r := newRig(t, Require(token.Requirement{Scope: []string{"admin"}}))
	r.call(t, codes.PermissionDenied, "Bearer "+r.tokens.AccessToken)
	r = newRig(t, Require(token.Requirement{Audience: []string{"other"}}))
	r.call(t, codes.Unauthenticated, "Bearer "+r.tokens.AccessToken)
	r = newRig(t, Require(token.Requirement{}))
	r.call(t, codes.OK, "Bearer "+r.tokens.AccessToken)
}
