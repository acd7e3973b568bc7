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

type callerKey struct{}

// ForCaller returns a context for what a node does on behalf of one caller, e.g. the
// subject of a token. Of what many share, such as the places to wait for a version
// in, one caller gets a part.
func ForCaller(ctx context.Context, caller string) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerOf returns the caller of a context of ForCaller, or "".
func CallerOf(ctx context.Context) string {
	caller, _ := ctx.Value(callerKey{}).(string)
	return caller
}

// ByAdministrator reports whether ctx comes from AsAdministrator.
func ByAdministrator(ctx context.Context) bool {
	by, _ := ctx.Value(administratorKey{}).(bool)
	return by
}
