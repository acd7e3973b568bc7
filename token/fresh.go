package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rescind"
)

// The headers by which a request asks more of a check than the node and the
// route do; in lower case, the metadata keys of gRPC.
const (
	// VersionHeader holds what the receipt of a revocation called its version,
	// or several, separated by commas: judge me with these revocations.
	VersionHeader = "Rescind-Version"

	// MaxStalenessHeader holds a duration such as 500ms, or a number of
	// seconds: judge me only if you are known to be at most this far behind.
	MaxStalenessHeader = "Rescind-Max-Staleness"
)

// FreshChecker is a Checker that knows how far it has got. *cluster.Node is
// one. It is needed only where freshness is asked for: any other Checker then
// can't know. Both methods must be safe for concurrent use.
type FreshChecker interface {
	Checker

	// FreshWithin reports whether the Checker is known to be at most max
	// behind. It must not block.
	FreshWithin(max time.Duration) bool

	// WaitFor returns nil once Check knows all revocations up to version. It
	// must bound how long it waits, and how many callers may wait. It returns
	// a *rescind.InvalidError for what is no version.
	WaitFor(ctx context.Context, version string) error
}

// Freshness says what a check must know to be worth something. The zero value
// leaves that to the node's policy.
type Freshness struct {
	// MaxStaleness refuses with ErrStale where the node may be further behind
	// than this, or can't tell. 0 means no bound besides the node's policy.
	MaxStaleness time.Duration

	// AcceptStale is what the option of that name says. MaxStaleness and
	// Version hold all the same.
	AcceptStale bool

	// Version waits until the node holds this version of a receipt, and
	// refuses with rescind.ErrBehind or rescind.ErrBusy where it does not come
	// to. Empty waits for nothing.
	Version string

	bad error // what Tighten could not read
}

// Tighten returns f with what a request asks for by the values of its headers
// VersionHeader and MaxStalenessHeader. It never loosens f. What it can't read
// is an error of VerifyFresh, which judges the token first.
func (f Freshness) Tighten(versions, staleness []string) Freshness {
	if len(staleness) > 0 {
		f = f.within(staleness)
	}
	if len(versions) == 0 {
		return f
	}
	version := strings.Join(versions, ",")
	if version == "" {
		f.bad = errNoVersion
	}
	if f.Version != "" {
		version = f.Version + "," + version
	}
	f.Version = version
	return f
}

var errNoVersion = &rescind.InvalidError{Field: VersionHeader, Problem: "is empty"}

func (f Freshness) within(values []string) Freshness {
	max, ok := parseStaleness(values)
	switch {
	case !ok:
		f.bad = &rescind.InvalidError{Field: MaxStalenessHeader, Problem: "must be one duration such as 500ms, or a number of seconds, above 0"}
	case f.MaxStaleness == 0:
		f.MaxStaleness = max
	default:
		f.MaxStaleness = min(f.MaxStaleness, max)
	}
	return f
}

// parseStaleness reads a duration as Go writes it, or a plain number of
// seconds.
func parseStaleness(values []string) (time.Duration, bool) {
	s := values[0]
	if strings.Trim(s, "0123456789.") == "" {
		s += "s"
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0 && len(values) == 1
}

// VerifyFresh is Verify for a check that must be as fresh as f says. It waits
// only for f.Version, until ctx ends at the latest, and only for a token that
// is good otherwise: one that is known to be revoked is refused at once.
func (v *Verifier) VerifyFresh(ctx context.Context, raw string, f Freshness) (*Verified, error) {
	r := rules{acceptStale: f.AcceptStale, maxStaleness: f.MaxStaleness}
	verified, err := v.verify(raw, r)
	if err != nil || f.Version == "" && f.bad == nil {
		return verified, err
	}
	if f.bad != nil {
		return nil, f.bad
	}
	late := v.waitFor(rescind.ForCaller(ctx, callerOf(verified)), f.Version)
	if verified, err = v.verify(raw, r); err != nil { // what was waited for may have revoked it
		return nil, err
	}
	if late != nil {
		return nil, late
	}
	return verified, nil
}

// callerOf names whose token it is: of the places to wait in, one subject gets a
// part, however many tokens it has. The name is a copy: it may be kept while others
// wait.
func callerOf(v *Verified) string {
	t := &v.Token
	return t.Issuer + "\x00" + cmp.Or(t.Subject, t.ClientID, t.ID)
}

// waitFor waits until the Checker holds version.
func (v *Verifier) waitFor(ctx context.Context, version string) error {
	if v.config.Checker == nil {
		return nil
	}
	c, ok := v.config.Checker.(FreshChecker)
	if !ok {
		return refuse(rescind.ErrBehind, "revocation", "this service can not wait for versions")
	}
	err := c.WaitFor(ctx, version)
	invalid, malformed := errors.AsType[*rescind.InvalidError](err)
	switch {
	case err == nil:
		return nil
	case malformed:
		return &rescind.InvalidError{Field: VersionHeader, Problem: invalid.Problem}
	case errors.Is(err, rescind.ErrBusy):
		return refuse(err, "revocation", "too many requests wait for versions")
	case errors.Is(err, rescind.ErrBehind):
		return refuse(err, "revocation", "this node does not hold that version yet")
	default:
		return fmt.Errorf("token: waiting for a version: %w", err)
	}
}

// freshWithin asks the Checker before the look-up, so that what is looked up is
// at least as complete.
func (v *Verifier) freshWithin(max time.Duration) bool {
	if max == 0 {
		return true
	}
	c, ok := v.config.Checker.(FreshChecker)
	return ok && c.FreshWithin(max)
}
