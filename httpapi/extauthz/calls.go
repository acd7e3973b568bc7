package extauthz

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"rescind/internal/admission"
)

const (
	// maxHeaders bounds the headers of a call, in bytes as HTTP/2 counts them,
	// maxHeaderNames their number, and maxHeaderText one that is kept in any case.
	maxHeaders     = 32 << 10
	maxHeaderNames = 64
	maxHeaderText  = 1 << 10

	// fewHeaders are kept as they are, for what interceptors of an embedder may want.
	fewHeaders = 2 << 10

	// messageWithin is how long a call may take to send its message. Envoy sends it
	// with the headers.
	messageWithin = 5 * time.Second

	// standardCalls is how many calls wait for their message at one time, unless the
	// caller of NewGRPCServer says.
	standardCalls = 1024
)

// keptHeaders are those that stay where there are more than fewHeaders: what anything
// here reads, or grpc-go itself. A stream keeps its headers until its answer has been
// taken, which is up to the client: what nobody reads goes at once.
var keptHeaders = []string{":authority", "content-type", "user-agent", "traceparent", "tracestate", "baggage"}

// calls bounds the calls that have begun and not sent their message. Until it has,
// nothing of a call is known, and nothing else would end it.
type calls struct {
	room   *admission.Room
	within time.Duration
}

// begun is a call of which the message has not arrived.
type begun struct {
	once  sync.Once
	timer *time.Timer
	give  func()
}

type begunKey struct{}

func (b *begun) done() {
	b.once.Do(func() {
		b.timer.Stop()
		b.give()
	})
}

// tap is called with the headers of each call, before it is a stream.
func (c calls) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	if err := trim(info); err != nil {
		return nil, err
	}
	from := admission.AddrOf(nil)
	if p, ok := peer.FromContext(ctx); ok {
		from = admission.AddrOf(p.Addr)
	}
	if !c.room.Take(from, 1) {
		return nil, status.Error(codes.Unavailable, "too many calls have begun and not sent their message")
	}
	ctx, cancel := context.WithCancel(ctx)
	b := &begun{give: func() { c.room.Give(from, 1) }}
	b.timer = time.AfterFunc(c.within, cancel)
	context.AfterFunc(ctx, b.done) // grpc-go ends the context of each call
	return context.WithValue(ctx, begunKey{}, b), nil
}

// trim takes out of the headers what nobody reads, and refuses what is absurd.
func trim(info *tap.Info) error {
	absurd := len(info.FullMethodName) > maxHeaderText || len(info.Header) > maxHeaderNames
	for _, value := range info.Header["grpc-accept-encoding"] {
		absurd = absurd || len(value) > maxHeaderText // grpc-go keeps it elsewhere, too
	}
	if absurd {
		return status.Error(codes.ResourceExhausted, "the call has more headers, or longer ones, than this node takes")
	}
	size := 0
	for name, values := range info.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size <= fewHeaders {
		return nil
	}
	kept := metadata.MD{}
	for _, name := range keptHeaders {
		if values := info.Header[name]; len(values) == 1 && len(values[0]) <= maxHeaderText {
			kept[name] = values
		}
	}
	clear(info.Header)
	for name, values := range kept {
		info.Header[name] = values
	}
	return nil
}

// arrived says that the message of the call of ctx is here.
func arrived(ctx context.Context) {
	if b, ok := ctx.Value(begunKey{}).(*begun); ok {
		b.done()
	}
}

// stream tells arrived of the first message of a stream, and survives it.
func (c calls) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer recovered(s.Context(), &err)
	return handler(srv, begunStream{s})
}

type begunStream struct{ grpc.ServerStream }

// RecvMsg is part of grpc.ServerStream.
func (s begunStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		arrived(s.Context())
	}
	return err
}

// options are those of a server that bounds its calls.
func (c calls) options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.InTapHandle(c.tap), grpc.StreamInterceptor(c.stream)}
}
