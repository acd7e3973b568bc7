// Package tracing makes OpenTelemetry spans of what the faces of a node are asked.
//
// A span says which endpoint it was, how it was answered and how long that took,
// and belongs to the trace that the caller names (W3C Trace Context). It holds no
// token, identifier, address, path or query: the path of a forward-auth request is
// the path that the user asked for, and may be anything. So the instrumentation
// that comes with OpenTelemetry, which notes all of these, is not used.
//
// A nil *Tracer traces nothing, and puts nothing into the way of a request.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracer makes spans. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Open returns a Tracer whose spans go to endpoint, the URL of a collector that
// takes OTLP over HTTP. It does not wait for the collector; while that is away
// spans are dropped, of which log hears. The variables OTEL_TRACES_SAMPLER,
// OTEL_TRACES_SAMPLER_ARG, OTEL_BSP_* and OTEL_RESOURCE_ATTRIBUTES of OpenTelemetry
// count. Close it.
func Open(endpoint, node, version string, log *slog.Logger) (*Tracer, error) {
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("tracing: send spans to %s: %w", endpoint, err)
	}
	who, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "rescind"), attribute.String("service.version", version), attribute.String("service.instance.id", node),
	), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("tracing: describe this service: %w", err)
	}
	tellFailures(log)
	return newTracer(sdk.WithBatcher(exporter), sdk.WithResource(who)), nil
}

func newTracer(options ...sdk.TracerProviderOption) *Tracer {
	p := sdk.NewTracerProvider(options...)
	return &Tracer{p, p.Tracer("rescind")}
}

// tellFailures sends what OpenTelemetry has to say to log: its 1st, 2nd, 4th, 8th
// failure and so on, so that a collector that is away for days can't fill it.
func tellFailures(log *slog.Logger) {
	var so atomic.Uint64
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if n := so.Add(1); n&(n-1) == 0 {
			log.Warn("spans were not sent", "error", err, "so_far", n)
		}
	}))
}

// Close sends what is left, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// start begins the span of a request whose headers are in from. Of the caller's
// context only the two identifiers and the flag are taken over: tracestate is text
// of the caller's choice.
func (t *Tracer) start(ctx context.Context, from propagation.TextMapCarrier, name string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	caller := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), from))
	if caller.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, caller.WithTraceState(trace.TraceState{}))
	}
	return t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...))
}

// methods are those of which a span tells; any other is the client's own text.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}

// Handler returns next with a span around it. What next stores in the request's
// Pattern names the span.
func (t *Tracer) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if !slices.Contains(methods, method) {
			method = "_OTHER"
		}
		ctx, span := t.start(r.Context(), propagation.HeaderCarrier(r.Header), method, attribute.String("http.request.method", method))
		answer := &answer{ResponseWriter: w}
		r = r.WithContext(ctx)
		defer func() {
			if r.Pattern != "" {
				span.SetName(method + " " + r.Pattern)
				span.SetAttributes(attribute.String("http.route", r.Pattern))
			}
			status := max(answer.status, http.StatusOK) // a handler that writes nothing answers 200
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			if status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}()
		next.ServeHTTP(answer, r)
	})
}

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if status >= 200 && a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
