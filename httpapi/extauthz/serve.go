package extauthz

import (
	"context"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"rescind/internal/admission"
)

// Face is what the gRPC server needs of the HTTP face; *httpapi.API is one.
type Face interface {
	Judge
	Ready() bool
}

const (
	// maxMessage bounds a request: headers of at most some 100 KiB, and no body.
	maxMessage = 128 << 10

	// maxStreams bounds what one connection asks at once, and maxIdle how long
	// it may ask nothing.
	maxStreams = 128
	maxIdle    = 15 * time.Minute

	// handshakeWithin is how long a new connection may take to speak HTTP/2.
	handshakeWithin = 10 * time.Second

	// Where these are set they stay: else grpc-go lets a fast client send up to 16 MiB
	// of a message that nobody reads.
	streamWindow     = 64 << 10
	connectionWindow = 256 << 10
)

// NewGRPCServer returns a server that answers Envoy, with health by readiness and
// reflection. room bounds the calls that have begun and not sent their message, at one
// time; nil means one of a thousand. A call has headers of at most 32 KiB and five
// seconds for its message, and a connection at most 128 calls at one time: without
// these bounds, one connection with 3 MB of repeated headers on calls that stay open
// took a gigabyte.
func NewGRPCServer(face Face, room *admission.Room, options ...grpc.ServerOption) *grpc.Server {
	if room == nil {
		room = admission.NewRoom("gRPC calls", standardCalls, nil)
	}
	return newGRPCServer(face, calls{room, messageWithin}, options)
}

func newGRPCServer(face Face, c calls, options []grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(slices.Concat([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxHeaders),
		grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connectionWindow),
		grpc.ConnectionTimeout(handshakeWithin),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: maxIdle}),
		grpc.UnaryInterceptor(survive),
	}, c.options(), options)...)
	auth.RegisterAuthorizationServer(server, NewServer(face))
	grpc_health_v1.RegisterHealthServer(server, &health{face: face})
	reflection.Register(server)
	return server
}

// survive makes of a panic an error of that call, as net/http does: Envoy then
// refuses the request, and the node goes on.
func survive(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	arrived(ctx)
	defer recovered(ctx, &err)
	return handler(ctx, req)
}

// recovered is deferred: it makes of a panic the error of a call.
func recovered(ctx context.Context, err *error) {
	v := recover()
	if v == nil {
		return
	}
	*err = status.Error(codes.Internal, "the node failed to judge this request")
	words := "withheld, it may quote the request"
	if bug, ok := v.(runtime.Error); ok {
		words = bug.Error()
	}
	slog.ErrorContext(ctx, "a gRPC call panicked", "panic", words, "stack", string(debug.Stack()))
}

// health is grpc.health.v1: SERVING while /readyz answers 200.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	face Face

	mu    sync.Mutex // guards what the face said last, and when
	ready bool
	asked time.Time
}

// healthEvery is how often the face is asked, for all callers together: its answer
// costs a look at the whole node. A watcher is told of a change within twice that.
const healthEvery = 250 * time.Millisecond

// serving returns what the face says, or said a moment ago.
func (h *health) serving() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.asked) >= healthEvery {
		h.ready, h.asked = h.face.Ready(), now
	}
	return h.ready
}

func (h *health) now(service string) (*grpc_health_v1.HealthCheckResponse, error) {
	if service != "" && service != auth.Authorization_ServiceDesc.ServiceName {
		return nil, status.Error(codes.NotFound, "there is no such service")
	}
	answer := &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_NOT_SERVING}
	if h.serving() {
		answer.Status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	return answer, nil
}

// Check says how it is now.
func (h *health) Check(_ context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return h.now(r.GetService())
}

// Watch says how it is now, and whenever that changes.
func (h *health) Watch(r *grpc_health_v1.HealthCheckRequest, s grpc_health_v1.Health_WatchServer) error {
	poll := time.NewTicker(healthEvery)
	defer poll.Stop()
	for last := grpc_health_v1.HealthCheckResponse_UNKNOWN; ; {
		answer, err := h.now(r.GetService())
		if err != nil {
			answer = &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN}
		}
		if answer.Status != last {
			last = answer.Status
			if err := s.Send(answer); err != nil {
				return err
			}
		}
		select {
		case <-poll.C:
		case <-s.Context().Done():
			return s.Context().Err()
		}
	}
}
