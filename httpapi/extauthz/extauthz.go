// Package extauthz lets Envoy ask about tokens by gRPC: the external
// authorization filter (envoy.service.auth.v3.Authorization/Check). The answers
// are those of /v1/check, and count there. It is a package of its own so that who
// embeds httpapi alone does not compile Envoy's API.
package extauthz

import (
	"context"
	"net/http"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"rescind"
	"rescind/httpapi"
	"rescind/internal/problem"
	"rescind/token"
)

// The context extensions by which a route asks for more, each a list parted by
// blanks.
const (
	requireIssuer   = "require_iss"
	requireAudience = "require_aud"
	requireScope    = "require_scope"
)

// ClaimsKey is the key of the claims in the dynamic metadata of an accepted
// request, which Envoy keeps under "envoy.filters.http.ext_authz".
const ClaimsKey = "claims"

// Judge is what the server asks; *httpapi.API is one.
type Judge interface {
	Judge(context.Context, httpapi.Question) (*token.Verified, error)
	RefusalOf(context.Context, error) httpapi.Refusal
}

// Server answers Envoy.
type Server struct {
	auth.UnimplementedAuthorizationServer
	judge Judge
}

// NewServer returns a server that answers as judge does.
func NewServer(judge Judge) *Server { return &Server{judge: judge} }

// Check judges the token of one request. It never returns an error: what Envoy
// can't get an answer to, it may be configured to let pass.
func (s *Server) Check(ctx context.Context, req *auth.CheckRequest) (*auth.CheckResponse, error) {
	headers := headersOf(req.GetAttributes().GetRequest().GetHttp())
	verified, err := s.judge.Judge(ctx, httpapi.Question{
		Authorization: headers["authorization"],
		Version:       headers[strings.ToLower(token.VersionHeader)],
		MaxStaleness:  headers[strings.ToLower(token.MaxStalenessHeader)],
		Require: func() (token.Requirement, error) {
			return requirementOf(req.GetAttributes().GetContextExtensions())
		},
	})
	if err != nil {
		return denied(s.judge.RefusalOf(ctx, err), problem.Of(err).GRPC), nil
	}
	return accepted(verified), nil
}

// headersOf returns the values of each header. By default Envoy joins several of
// one name by commas, so that two tokens are refused as one that has a comma;
// with encode_raw_headers it does not.
func headersOf(r *auth.AttributeContext_HttpRequest) map[string][]string {
	values := make(map[string][]string, len(r.GetHeaders()))
	for name, value := range r.GetHeaders() {
		values[name] = []string{value}
	}
	for _, h := range r.GetHeaderMap().GetHeaders() {
		value := h.GetValue()
		if raw := h.GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		values[h.GetKey()] = append(values[h.GetKey()], value)
	}
	return values
}

// requirementOf refuses extensions that look like a misspelt requirement, since
// they would silently require nothing. Others are none of our business.
func requirementOf(extensions map[string]string) (token.Requirement, error) {
	for name := range extensions {
		if strings.HasPrefix(name, "require") && name != requireIssuer && name != requireAudience && name != requireScope {
			return token.Requirement{}, &rescind.InvalidError{Field: "context_extensions", Problem: "has a requirement that is not known; there are require_iss, require_aud and require_scope"}
		}
	}
	return token.Requirement{
		Issuer:   strings.Fields(extensions[requireIssuer]),
		Audience: strings.Fields(extensions[requireAudience]),
		Scope:    strings.Fields(extensions[requireScope]),
	}, nil
}

// accepted sets the identity headers, or removes the client's where the token
// lacks the claim, and hands the claims to other filters.
func accepted(verified *token.Verified) *auth.CheckResponse {
	identity := http.Header{}
	httpapi.WriteIdentity(identity, verified)
	ok := &auth.OkHttpResponse{}
	for name, values := range identity {
		if values[0] == "" {
			ok.HeadersToRemove = append(ok.HeadersToRemove, name)
			continue
		}
		ok.Headers = append(ok.Headers, header(name, values[0]))
	}
	return &auth.CheckResponse{
		Status:          &rpc.Status{Code: int32(codes.OK)},
		HttpResponse:    &auth.CheckResponse_OkResponse{OkResponse: ok},
		DynamicMetadata: metadataOf(verified),
	}
}

// metadataOf is nil for claims that a protobuf Struct can't hold.
func metadataOf(verified *token.Verified) *structpb.Struct {
	claims := new(structpb.Struct)
	if protojson.Unmarshal(verified.Claims(), claims) != nil {
		return nil
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{ClaimsKey: structpb.NewStructValue(claims)}}
}

// denied passes on the answer that /v1/check gives.
func denied(refusal httpapi.Refusal, code problem.Code) *auth.CheckResponse {
	out := &auth.DeniedHttpResponse{
		Status: &envoytype.HttpStatus{Code: envoytype.StatusCode(refusal.Status)},
		Body:   string(refusal.Body),
	}
	for name, values := range refusal.Header {
		if name != "Content-Length" { // Envoy counts for itself
			out.Headers = append(out.Headers, header(name, values[0]))
		}
	}
	return &auth.CheckResponse{
		Status:       &rpc.Status{Code: int32(code)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: out},
	}
}

func header(name, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{
		Header:       &core.HeaderValue{Key: name, Value: value},
		AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
