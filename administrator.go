package rescind

import "context"

type administratorKey struct{}

// AsAdministrator returns a context whose revocations are made by an administrator:
// a node that is full for everybody else still takes them, up to a reserve. Use it
// for those who have authenticated as such, and never for what the holder of a
// token asks for.
func AsAdministrator(ctx context.Context) context.Context {
	return context.WithValue(ctx, administratorKey{}, true)
}

// ByAdministrator reports whether ctx comes from AsAdministrator.
func ByAdministrator(ctx context.Context) bool {
	by, _ := ctx.Value(administratorKey{}).(bool)
	return by
}
