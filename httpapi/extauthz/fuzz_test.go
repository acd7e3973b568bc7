package extauthz

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// genuine reports whether a bearer token was signed with the secret. A fuzzing process
// judges seeds that another one has made, at another time.
func genuine(authorization string) bool {
	_, raw, _ := strings.Cut(authorization, " ")
	_, err := jwt.Parse(strings.TrimSpace(raw), func(*jwt.Token) (any, error) { return secret, nil }, jwt.WithValidMethods([]string{"HS256"}))
	return err == nil
}

// FuzzCheck asserts that every message that a stranger can send gets an answer that
// Envoy takes, and that none passes without the token.
func FuzzCheck(f *testing.F) {
	r := newRig(f)
	good := mint(f)
	ask := func(a *auth.AttributeContext) []byte {
		raw, err := proto.Marshal(&auth.CheckRequest{Attributes: a})
		if err != nil {
			f.Fatal(err)
		}
		return raw
	}
	of := func(headers, extensions map[string]string) *auth.AttributeContext {
		return &auth.AttributeContext{
			Request:           &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Headers: headers}},
			ContextExtensions: extensions,
		}
	}
	for _, seed := range []*auth.AttributeContext{
		nil,
		{},
		of(nil, nil),
		of(bearer(good), nil),
		of(bearer(good), map[string]string{requireScope: "read", requireAudience: "api", requireIssuer: issuer}),
		of(bearer(good), map[string]string{"require_nothing": "x"}),
		of(map[string]string{"authorization": "Basic eA==", "rescind-version": "1.2.3", "rescind-max-staleness": "1s"}, nil),
		{Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
			HeaderMap: &core.HeaderMap{Headers: []*core.HeaderValue{nil, {Key: "authorization", RawValue: []byte("Bearer " + good)}, {Key: "authorization", RawValue: []byte("Bearer \xff")}}},
		}}},
	} {
		f.Add(ask(seed))
	}
	server := NewServer(r.api)
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := new(auth.CheckRequest)
		if proto.Unmarshal(raw, req) != nil {
			return // grpc-go refuses it
		}
		answer, err := server.Check(t.Context(), req)
		if err != nil {
			t.Fatalf("%v: an error, which Envoy may be configured to let pass: %v", req, err)
		}
		if err := answer.ValidateAll(); err != nil {
			t.Fatalf("%v: Envoy would refuse the answer: %v", req, err)
		}
		headers := answer.GetOkResponse().GetHeaders()
		if answer.GetStatus().GetCode() == int32(codes.OK) {
			given := headersOf(req.GetAttributes().GetRequest().GetHttp())["authorization"]
			if !slices.ContainsFunc(given, genuine) {
				t.Fatalf("%v passed without a token", req)
			}
		} else {
			status := answer.GetDeniedResponse().GetStatus().GetCode()
			if status < http.StatusBadRequest || status >= 600 || status == http.StatusInternalServerError {
				t.Fatalf("%v: status %v", req, status)
			}
			headers = answer.GetDeniedResponse().GetHeaders()
		}
		for _, h := range headers {
			if strings.ContainsAny(h.GetHeader().GetKey()+h.GetHeader().GetValue(), "\r\n\x00") {
				t.Fatalf("%v: a header of the answer is %q", req, h.GetHeader())
			}
		}
	})
}
