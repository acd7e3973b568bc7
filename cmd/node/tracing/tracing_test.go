package tracing

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent  = "00-" + traceID + "-00f067aa0ba902b7-01"
	secret  = "s3cret-canary"
)

func recorded(t *testing.T) (*Tracer, *tracetest.InMemoryExporter) {
	spans := tracetest.NewInMemoryExporter()
	tracer := newTracer(sdk.WithSyncer(spans))
	t.Cleanup(func() { tracer.Close(context.Background()) })
	return tracer, spans
}

// only returns the one span, which must hold nothing of what the client chose.
func only(t *testing.T, spans *tracetest.InMemoryExporter) tracetest.SpanStub {
	t.Helper()
	all := spans.GetSpans()
	if len(all) != 1 {
		t.Fatalf("%d spans", len(all))
	}
	if text := fmt.Sprintf("%+v", all[0]); strings.Contains(text, secret) {
		t.Errorf("the span holds what the client sent: %s", text)
	}
	return all[0]
}

func attributes(s tracetest.SpanStub) string {
	var all []string
	for _, a := range s.Attributes {
		all = append(all, string(a.Key)+"="+a.Value.String())
	}
	return strings.Join(all, " ")
}

func TestSpanOfARequest(t *testing.T) {
	tracer, spans := recorded(t)
	var inside trace.SpanContext
	h := tracer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside = trace.SpanContextFromContext(r.Context())
		r.Pattern = "/v1/check"
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	r := httptest.NewRequest("GET", "/v1/check/reset/"+secret+"?token="+secret, nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Traceparent", parent)
	r.Header.Set("Tracestate", "k="+secret)
	r.Header.Set("User-Agent", secret)
	h.ServeHTTP(httptest.NewRecorder(), r)
	s := only(t, spans)
	if s.Name != "GET /v1/check" || s.SpanKind != trace.SpanKindServer || s.Status.Code != codes.Error {
		t.Errorf("span %q, kind %v, status %v", s.Name, s.SpanKind, s.Status)
	}
	if want := "http.request.method=GET http.route=/v1/check http.response.status_code=503"; attributes(s) != want {
		t.Errorf("attributes %s, want %s", attributes(s), want)
	}
	if s.SpanContext.TraceID().String() != traceID || s.Parent.SpanID().String() != "00f067aa0ba902b7" || !s.Parent.IsRemote() {
		t.Errorf("not the caller's trace: %v under %v", s.SpanContext, s.Parent)
	}
	if !inside.Equal(s.SpanContext) {
		t.Error("the handler does not see the span")
	}
}

func TestSpanOfNoEndpoint(t *testing.T) {
	tracer, spans := recorded(t)
	h := tracer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(nil) }))
	r := httptest.NewRequest("GET", "/"+secret, nil)
	r.Method = strings.ToUpper(secret)
	r.Header.Set("Traceparent", "00-"+secret)
	h.ServeHTTP(httptest.NewRecorder(), r)
	s := only(t, spans)
	if want := "http.request.method=_OTHER http.response.status_code=200"; s.Name != "_OTHER" || attributes(s) != want || s.Parent.IsValid() {
		t.Errorf("%q %s under %v", s.Name, attributes(s), s.Parent)
	}
}

// Streams flush and move their deadlines through the tracer's writer.
func TestAnswerUnwraps(t *testing.T) {
	tracer, spans := recorded(t)
	rec := httptest.NewRecorder()
	tracer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if !rec.Flushed {
		t.Error("not flushed")
	}
	only(t, spans)
}

func TestSpanEndsWithAPanic(t *testing.T) {
	tracer, spans := recorded(t)
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the panic did not go on")
		}
		only(t, spans)
	}()
	tracer.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestSpanOfACall(t *testing.T) {
	const method = "/envoy.service.auth.v3.Authorization/Check"
	denied := &auth.CheckResponse{HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
		Status: &envoytype.HttpStatus{Code: 401}, Body: secret,
	}}}
	for _, c := range []struct {
		resp   any
		err    error
		want   string
		status codes.Code
	}{
		{denied, nil, "rpc.response.status_code=OK rescind.answer=401", codes.Unset},
		{&auth.CheckResponse{}, nil, "rpc.response.status_code=OK rescind.answer=200", codes.Unset},
		{nil, status.Error(grpccodes.Internal, secret), "rpc.response.status_code=Internal", codes.Error},
	} {
		tracer, spans := recorded(t)
		md := metadata.Pairs("traceparent", parent, "authorization", "Bearer "+secret)
		_, err := tracer.call(metadata.NewIncomingContext(t.Context(), md), nil, &grpc.UnaryServerInfo{FullMethod: method},
			func(context.Context, any) (any, error) { return c.resp, c.err })
		if err != c.err {
			t.Errorf("error %v", err)
		}
		s := only(t, spans)
		want := "rpc.system.name=grpc rpc.method=" + method[1:] + " " + c.want
		if attributes(s) != want || s.Status.Code != c.status || s.SpanContext.TraceID().String() != traceID {
			t.Errorf("%s %v of %v, want %s", attributes(s), s.Status, s.SpanContext.TraceID(), want)
		}
	}
}

// Off, nothing stands between a request and its handler.
func TestOff(t *testing.T) {
	var off *Tracer
	called := false
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })
	if h, ok := off.Handler(next).(http.HandlerFunc); !ok {
		t.Errorf("the handler became a %T", h)
	}
	if n := testing.AllocsPerRun(10, func() { off.Handler(next).ServeHTTP(nil, nil) }); n != 0 || !called {
		t.Errorf("%v allocations", n)
	}
	if off.ServerOptions() != nil || off.Close(t.Context()) != nil {
		t.Error("off is not off")
	}
}
