package tokengrpc

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"rescind"
)

// The node of these tests is a second behind and holds the version "held".
func (n *node) FreshWithin(max time.Duration) bool { return max >= time.Second }

func (n *node) WaitFor(_ context.Context, version string) error {
	switch version {
	case "held":
		return nil
	case "late":
		return rescind.ErrBehind
	}
	return &rescind.InvalidError{Field: "version", Problem: "is none"}
}

func TestFreshness(t *testing.T) {
	r := newRig(t, MaxStaleness(time.Minute))
	for _, c := range []struct {
		key, value string
		want       codes.Code
	}{
		{"rescind-version", "held", codes.OK},
		{"rescind-version", "late", codes.Unavailable},
		{"rescind-version", "x", codes.InvalidArgument},
		{"rescind-max-staleness", "1h", codes.OK},
		{"rescind-max-staleness", "500ms", codes.Unavailable},
		{"rescind-max-staleness", "0", codes.InvalidArgument},
	} {
		ctx := metadata.AppendToOutgoingContext(withBearer(t, "Bearer "+r.tokens.AccessToken), c.key, c.value)
		if _, err := r.client.Check(ctx, new(grpc_health_v1.HealthCheckRequest)); status.Code(err) != c.want {
			t.Errorf("%s %s: %v; want %v", c.key, c.value, err, c.want)
		}
		if c.want == codes.OK {
			continue
		}
		stream, err := r.client.Watch(ctx, new(grpc_health_v1.HealthCheckRequest))
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != c.want {
			t.Errorf("stream, %s %s: %v; want %v", c.key, c.value, err, c.want)
		}
		r.node.set(rescind.Revoked)
		if _, err := r.client.Check(ctx, new(grpc_health_v1.HealthCheckRequest)); status.Code(err) != codes.Unauthenticated {
			t.Errorf("revoked, %s %s: %v", c.key, c.value, err)
		}
		r.node.set(rescind.Valid)
	}
	strict := newRig(t, MaxStaleness(time.Millisecond))
	strict.call(t, codes.Unavailable, "Bearer "+strict.tokens.AccessToken)
}
