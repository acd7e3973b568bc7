package tracing

import (
	"context"
	"strings"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ServerOptions returns what a gRPC server needs for a span around each call that is
// no stream.
func (t *Tracer) ServerOptions() []grpc.ServerOption {
	if t == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(t.call)}
}

// call puts a span around a call. The method is one that the server has, and so no
// text of the client's.
func (t *Tracer) call(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	method := strings.TrimPrefix(info.FullMethod, "/")
	ctx, span := t.start(ctx, carrier(md), method, attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", method))
	defer span.End()
	resp, err := next(ctx, req)
	code := status.Code(err)
	span.SetAttributes(attribute.String("rpc.response.status_code", code.String()))
	if checked, ok := resp.(*auth.CheckResponse); ok && err == nil {
		span.SetAttributes(attribute.Int("rescind.answer", answerOf(checked)))
	}
	if code == grpccodes.Internal || code == grpccodes.Unknown {
		span.SetStatus(codes.Error, "")
	}
	return resp, err
}

// answerOf is the status that Envoy is told to give the client, or 200 if it lets
// the request pass: the call succeeds in either case.
func answerOf(r *auth.CheckResponse) int {
	if denied := r.GetDeniedResponse(); denied != nil {
		return int(denied.GetStatus().GetCode())
	}
	return 200
}

// carrier reads metadata as headers.
type carrier metadata.MD

func (c carrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set does nothing: only what comes in is read.
func (c carrier) Set(string, string) {}

func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}
