package token

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"rescind"
)

// tracker is a FreshChecker: a second behind, and told what a wait brings.
type tracker struct {
	verdict, after rescind.Verdict // before and after a wait
	err            error
	waited         string
}

func (n *tracker) Check(rescind.Token) rescind.Verdict { return n.verdict }

func (n *tracker) FreshWithin(max time.Duration) bool { return max >= time.Second }

func (n *tracker) WaitFor(_ context.Context, version string) error {
	n.verdict, n.waited = n.after, version
	return n.err
}

// getFresh sends a good token with these headers through the middleware.
func getFresh(v *Verifier, headers http.Header, opts ...Option) int {
	h := Middleware(v, opts...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = headers.Clone()
	r.Header.Set("Authorization", "Bearer "+signHS(hsHeader, payload(`"jti":"id"`)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestMiddlewareBoundsStaleness(t *testing.T) {
	for name, c := range map[string]struct {
		verdict rescind.Verdict
		asked   string
		opts    []Option
		want    int
	}{
		"no bound":                     {rescind.Valid, "", nil, 200},
		"route met":                    {rescind.Valid, "", []Option{MaxStaleness(time.Second)}, 200},
		"route missed":                 {rescind.Valid, "", []Option{MaxStaleness(time.Second / 2)}, 503},
		"request missed":               {rescind.Valid, "500ms", nil, 503},
		"request tightens":             {rescind.Valid, "500ms", []Option{MaxStaleness(time.Hour)}, 503},
		"request does not loosen":      {rescind.Valid, "1h", []Option{MaxStaleness(time.Second / 2)}, 503},
		"nor the node's policy":        {rescind.Stale, "1h", nil, 503},
		"the route may":                {rescind.Stale, "1h", []Option{AcceptStale()}, 200},
		"the route, with a bound":      {rescind.Stale, "500ms", []Option{AcceptStale()}, 503},
		"revoked is revoked":           {rescind.Revoked, "500ms", []Option{MaxStaleness(1)}, 401},
		"malformed":                    {rescind.Valid, "soon", nil, 400},
		"malformed, and revoked":       {rescind.Revoked, "soon", nil, 401},
		"not ready, whatever is asked": {rescind.Unknown, "1h", []Option{AcceptStale()}, 503},
	} {
		headers := http.Header{}
		if c.asked != "" {
			headers.Set(MaxStalenessHeader, c.asked)
		}
		v := newVerifier(t, nil, func(cfg *VerifierConfig) { cfg.Checker = &tracker{verdict: c.verdict} }, hsIssuer())
		if got := getFresh(v, headers, c.opts...); got != c.want {
			t.Errorf("%s: %d; want %d", name, got, c.want)
		}
	}
}

func TestMiddlewareWaitsForVersions(t *testing.T) {
	for name, c := range map[string]struct {
		node     tracker
		versions []string
		want     int
		waited   string
	}{
		"held":                      {tracker{rescind.Valid, rescind.Valid, nil, ""}, []string{"a"}, 200, "a"},
		"lists":                     {tracker{rescind.Valid, rescind.Valid, nil, ""}, []string{"a,b", "c"}, 200, "a,b,c"},
		"revoked by what it brings": {tracker{rescind.Valid, rescind.Revoked, nil, ""}, []string{"a"}, 401, "a"},
		"revoked while it is late":  {tracker{rescind.Valid, rescind.Revoked, rescind.ErrBehind, ""}, []string{"a"}, 401, "a"},
		"late":                      {tracker{rescind.Valid, rescind.Valid, rescind.ErrBehind, ""}, []string{"a"}, 503, "a"},
		"busy":                      {tracker{rescind.Valid, rescind.Valid, rescind.ErrBusy, ""}, []string{"a"}, 503, "a"},
		"gone":                      {tracker{rescind.Valid, rescind.Valid, context.Canceled, ""}, []string{"a"}, 503, "a"},
		"malformed":                 {tracker{rescind.Valid, rescind.Valid, &rescind.InvalidError{Field: "version"}, ""}, []string{"a"}, 400, "a"},
		"empty":                     {tracker{rescind.Valid, rescind.Valid, nil, ""}, []string{""}, 400, ""},
		"revoked at once":           {tracker{rescind.Revoked, rescind.Revoked, nil, ""}, []string{"a"}, 401, ""},
		"not ready":                 {tracker{rescind.Unknown, rescind.Valid, nil, ""}, []string{"a"}, 503, ""},
	} {
		v := newVerifier(t, nil, func(cfg *VerifierConfig) { cfg.Checker = &c.node }, hsIssuer())
		if got := getFresh(v, http.Header{VersionHeader: c.versions}); got != c.want || c.node.waited != c.waited {
			t.Errorf("%s: %d, waited for %q; want %d, %q", name, got, c.node.waited, c.want, c.waited)
		}
	}
}

// TestPlainCheckerCannotBeFresh: a Checker that can't tell refuses, and does so
// with 503.
func TestPlainCheckerCannotBeFresh(t *testing.T) {
	v := newVerifier(t, newNode(atEpoch), nil, hsIssuer())
	for name, want := range map[string]error{VersionHeader: rescind.ErrBehind, MaxStalenessHeader: ErrStale} {
		f := Freshness{}.Tighten(http.Header{name: {"1"}}[VersionHeader], http.Header{name: {"1"}}[MaxStalenessHeader])
		if _, err := v.VerifyFresh(t.Context(), signHS(hsHeader, payload(`"jti":"id"`)), f); !errors.Is(err, want) || Status(err) != 503 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlainRequestsPayNothing: without the headers a request allocates no more
// than Verify and the context that carries its answer.
func TestPlainRequestsPayNothing(t *testing.T) {
	v := newVerifier(t, nil, func(cfg *VerifierConfig) { cfg.Checker = &tracker{verdict: rescind.Valid} }, hsIssuer())
	raw := signHS(hsHeader, payload(`"jti":"id"`))
	plain := testing.AllocsPerRun(1000, func() { v.Verify(raw) })
	fresh := testing.AllocsPerRun(1000, func() { v.VerifyFresh(t.Context(), raw, Freshness{}.Tighten(nil, nil)) })
	if fresh > plain {
		t.Errorf("%v allocations; Verify has %v", fresh, plain)
	}
}
