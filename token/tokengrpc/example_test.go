package tokengrpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"google.golang.org/grpc"

	"rescind/cluster"
	"rescind/token"
	"rescind/token/tokengrpc"
)

// A gRPC server that lets calls through only with a token that is acceptable
// right now, but for its health service. Streams end with their token.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "rescind-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	node, err := cluster.Open(ctx, cluster.Config{Name: "api-1", DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close()
	verifier, err := token.NewVerifier(ctx, token.VerifierConfig{
		Checker: node,
		Issuers: []token.IssuerConfig{{
			Issuer:     "https://login.example",
			Algorithms: []string{"ES256"},
			JWKS:       []byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`),
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verifier.Close()

	options := []tokengrpc.Option{tokengrpc.EndWithToken(node), tokengrpc.Public("/grpc.health.v1.Health/Check")}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(tokengrpc.UnaryServerInterceptor(verifier, options...)),
		grpc.StreamInterceptor(tokengrpc.StreamServerInterceptor(verifier, options...)),
	)
	defer server.Stop()

	// A call without a token.
	guard := tokengrpc.UnaryServerInterceptor(verifier, options...)
	_, err = guard(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/shop.Orders/List"}, func(context.Context, any) (any, error) {
		return "orders", nil
	})
	fmt.Println(err)
	// Output:
	// rpc error: code = Unauthenticated desc = a bearer token is required
}
