package extauthz

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"rescind"
	"rescind/cluster"
	"rescind/httpapi"
	"rescind/token"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2/vfs.(*diskHealthCheckingFS).startTickerLocked.func1"))
}

const issuer = "https://issuer.example"

var secret = []byte("jX2v9Q!r7Tz#Lm4Kp8Wd$Yc6Bn1Gs5Hf")

// rig is a real node, its HTTP face, and a client made from Envoy's own API.
type rig struct {
	node *cluster.Node
	api  *httpapi.API
	conn *grpc.ClientConn
	auth auth.AuthorizationClient
}

func newRig(t testing.TB) *rig {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	node, err := cluster.Open(t.Context(), cluster.Config{Name: "a", DataDir: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	verifier, err := token.NewVerifier(t.Context(), token.VerifierConfig{
		Issuers: []token.IssuerConfig{{Issuer: issuer, Algorithms: []string{"HS256"}, HS256Secret: secret}}, Checker: node,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	api, err := httpapi.New(httpapi.Config{Node: node, Verifier: verifier, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	server := NewGRPCServer(api, nil)
	pipe := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- server.Serve(pipe) }()
	conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); server.Stop(); <-served })
	return &rig{node, api, conn, auth.NewAuthorizationClient(conn)}
}

func mint(t testing.TB, pairs ...any) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": issuer, "sub": "alice", "sid": "s", "jti": "j", "aud": []string{"api", "b"}, "scope": "read write", "groups": []string{"x"},
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		} else {
			claims[pairs[i].(string)] = pairs[i+1]
		}
	}
	raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// ask is what Envoy sends for a request with these headers.
func (r *rig) ask(t *testing.T, headers, extensions map[string]string) *auth.CheckResponse {
	t.Helper()
	answer, err := r.auth.Check(t.Context(), &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Request:           &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: "POST", Path: "/orders", Headers: headers}},
		ContextExtensions: extensions,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.ValidateAll(); err != nil {
		t.Errorf("Envoy would refuse the answer: %v", err)
	}
	return answer
}

func bearer(raw string) map[string]string { return map[string]string{"authorization": "Bearer " + raw} }

func deniedHeader(answer *auth.CheckResponse, name string) string {
	for _, h := range answer.GetDeniedResponse().GetHeaders() {
		if strings.EqualFold(h.GetHeader().GetKey(), name) {
			return h.GetHeader().GetValue()
		}
	}
	return ""
}

func TestCheckAccepts(t *testing.T) {
	r := newRig(t)
	answer := r.ask(t, bearer(mint(t, "sid", nil)), map[string]string{"require_aud": "api b", "require_scope": "read", "virtual_host": "x"})
	if answer.GetStatus().GetCode() != int32(codes.OK) {
		t.Fatalf("%v", answer)
	}
	got := map[string]string{}
	for _, h := range answer.GetOkResponse().GetHeaders() {
		if h.GetAppendAction() != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			t.Errorf("%s is added to what the client sent", h.GetHeader().GetKey())
		}
		got[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
	}
	if got["X-Auth-Subject"] != "alice" || got["X-Auth-Token-Id"] != "j" || got["X-Auth-Issuer"] == "" || len(got) != 3 || !slices.Equal(answer.GetOkResponse().GetHeadersToRemove(), []string{"X-Auth-Session"}) {
		t.Errorf("sets %v, removes %v", got, answer.GetOkResponse().GetHeadersToRemove())
	}
	claims := answer.GetDynamicMetadata().GetFields()[ClaimsKey].GetStructValue().AsMap()
	if groups, _ := claims["groups"].([]any); claims["sub"] != "alice" || len(groups) != 1 || groups[0] != "x" {
		t.Errorf("metadata %v", claims)
	}
}

func TestCheckRefuses(t *testing.T) {
	r := newRig(t)
	if _, err := r.node.Revoke(t.Context(), rescind.Revocation{Key: rescind.Key{Scope: rescind.ScopeJTI, Issuer: issuer, ID: "gone"}}, rescind.AckLocal); err != nil {
		t.Fatal(err)
	}
	good := mint(t)
	behind := bearer(good)
	behind["rescind-version"] = "0000000000000001.1.1"
	for name, c := range map[string]struct {
		headers, extensions map[string]string
		code                codes.Code
		status              int
	}{
		"none":             {nil, nil, codes.Unauthenticated, 401},
		"revoked":          {bearer(mint(t, "jti", "gone")), nil, codes.Unauthenticated, 401},
		"expired":          {bearer(mint(t, "exp", time.Now().Add(-time.Hour).Unix())), nil, codes.Unauthenticated, 401},
		"forged":           {bearer(good + "A"), nil, codes.Unauthenticated, 401},
		"two tokens":       {map[string]string{"authorization": "Bearer " + good + ",Bearer " + good}, nil, codes.Unauthenticated, 401},
		"another audience": {bearer(good), map[string]string{"require_aud": "api other"}, codes.Unauthenticated, 401},
		"missing scope":    {bearer(good), map[string]string{"require_scope": "admin"}, codes.PermissionDenied, 403},
		"misspelt":         {bearer(good), map[string]string{"require_audience": "api"}, codes.InvalidArgument, 400},
		"behind":           {behind, nil, codes.Unavailable, 503},
	} {
		t.Run(name, func(t *testing.T) {
			answer := r.ask(t, c.headers, c.extensions)
			denied := answer.GetDeniedResponse()
			if codes.Code(answer.GetStatus().GetCode()) != c.code || int(denied.GetStatus().GetCode()) != c.status || !strings.Contains(denied.GetBody(), "urn:rescind:problem:") {
				t.Errorf("%v", answer)
			}
			if got := deniedHeader(answer, "WWW-Authenticate") != ""; got != (c.status == 401 || c.status == 403) {
				t.Errorf("challenge: %v", answer)
			}
			if got := deniedHeader(answer, "Retry-After") != ""; got != (c.status == 503) {
				t.Errorf("Retry-After: %v", answer)
			}
			if strings.Contains(answer.String(), good) {
				t.Error("the answer repeats the token")
			}
		})
	}
}

// With encode_raw_headers Envoy sends each header by itself.
func TestCheckReadsRawHeaders(t *testing.T) {
	r := newRig(t)
	raw := &core.HeaderValue{Key: "authorization", RawValue: []byte("Bearer " + mint(t))}
	for n, want := range map[int]codes.Code{0: codes.Unauthenticated, 1: codes.OK, 2: codes.Unauthenticated} {
		answer, err := r.auth.Check(t.Context(), &auth.CheckRequest{Attributes: &auth.AttributeContext{Request: &auth.AttributeContext_Request{
			Http: &auth.AttributeContext_HttpRequest{HeaderMap: &core.HeaderMap{Headers: slices.Repeat([]*core.HeaderValue{raw}, n)}},
		}}})
		if err != nil || codes.Code(answer.GetStatus().GetCode()) != want {
			t.Errorf("%d headers: %v %v", n, answer, err)
		}
	}
}

// An empty request, too, gets an answer: Envoy may let pass what has none.
func TestCheckAnswersAnything(t *testing.T) {
	r := newRig(t)
	for _, req := range []*auth.CheckRequest{{}, {Attributes: &auth.AttributeContext{}}} {
		if answer, err := r.auth.Check(t.Context(), req); err != nil || codes.Code(answer.GetStatus().GetCode()) != codes.Unauthenticated {
			t.Errorf("%v %v", answer, err)
		}
	}
}

func TestHealthAndReflection(t *testing.T) {
	r := newRig(t)
	client := grpc_health_v1.NewHealthClient(r.conn)
	for service, want := range map[string]codes.Code{"": codes.OK, "envoy.service.auth.v3.Authorization": codes.OK, "other": codes.NotFound} {
		answer, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if status.Code(err) != want || want == codes.OK && answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v %v", service, answer, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING} {
		answer, err := watch.Recv()
		if err != nil || answer.Status != want {
			t.Fatalf("%v %v", answer, err)
		}
		r.api.Drain()
	}
	stream, err := reflection.NewServerReflectionClient(r.conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflection.ServerReflectionRequest{MessageRequest: &reflection.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	listed, err := stream.Recv()
	if err != nil || !strings.Contains(listed.String(), "envoy.service.auth.v3.Authorization") {
		t.Errorf("%v %v", listed, err)
	}
}

// The answers by gRPC and by HTTP count together.
func TestCheckCounts(t *testing.T) {
	r := newRig(t)
	r.ask(t, bearer(mint(t)), nil)
	r.ask(t, nil, nil)
	w := &recorder{header: http.Header{}}
	r.api.Handler().ServeHTTP(w, must(http.NewRequest("GET", "/metrics", nil)))
	for _, line := range []string{`rescind_checks_total{result="valid"} 1`, `rescind_checks_total{result="missing"} 1`} {
		if !strings.Contains(w.body.String(), line) {
			t.Errorf("there is no line %s", line)
		}
	}
}

type recorder struct {
	header http.Header
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A panic ends its own call and not the node, and what it says is not logged: it may
// quote the token.
func TestPanicEndsItsCallOnly(t *testing.T) {
	var log bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer func() {
		if said := log.String(); strings.Contains(said, "eyJ-canary") || !strings.Contains(said, "a gRPC call panicked") {
			t.Errorf("the log says %s", said)
		}
	}()
	answer, err := survive(t.Context(), nil, nil, func(context.Context, any) (any, error) { panic("a bug with eyJ-canary") })
	if answer != nil || status.Code(err) != codes.Internal {
		t.Errorf("%v, %v", answer, err)
	}
}
