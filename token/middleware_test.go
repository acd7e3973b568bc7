package token

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"rescind"
	"rescind/internal/problem"
)

// get sends a request with these Authorization headers through the middleware
// to a handler that answers with the subject.
func get(v *Verifier, opts []Option, authorization ...string) *httptest.ResponseRecorder {
	h := Middleware(v, opts...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := ClaimsFrom[struct {
			Subject string `json:"sub"`
		}](r.Context())
		fmt.Fprint(w, claims.Subject, err)
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestMiddleware(t *testing.T) {
	good := signHS(hsHeader, payload(`"jti":"id"`))
	expired := signHS(hsHeader, strings.Replace(payload(""), "1800003600", "1700000000", 1))
	for name, c := range map[string]struct {
		headers   []string
		status    int
		challenge string
	}{
		"good":             {[]string{"Bearer " + good}, 200, ""},
		"lower case":       {[]string{"bearer " + good}, 200, ""},
		"two blanks":       {[]string{"Bearer  " + good}, 200, ""},
		"none":             {nil, 401, `Bearer realm="rescind"`},
		"another scheme":   {[]string{"Basic YTpi"}, 401, `Bearer realm="rescind"`},
		"no scheme":        {[]string{good}, 401, `Bearer realm="rescind"`},
		"empty":            {[]string{"Bearer "}, 400, `Bearer realm="rescind", error="invalid_request", error_description="the Authorization header does not hold exactly one token"`},
		"two headers":      {[]string{"Bearer " + good, "Bearer " + good}, 400, `Bearer realm="rescind", error="invalid_request", error_description="there is more than one Authorization header"`},
		"two in one":       {[]string{"Bearer " + good + ", Bearer " + good}, 400, `Bearer realm="rescind", error="invalid_request", error_description="the Authorization header does not hold exactly one token"`},
		"expired":          {[]string{"Bearer " + expired}, 401, `Bearer realm="rescind", error="invalid_token", error_description="the token has expired"`},
		"malformed":        {[]string{"Bearer x"}, 401, `Bearer realm="rescind", error="invalid_token", error_description="a token has exactly three parts"`},
		"quotes in header": {[]string{`Bearer "` + good + `"`}, 401, `Bearer realm="rescind", error="invalid_token", error_description="a part is empty or not canonical base64url"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(newVerifier(t, nil, nil, hsIssuer()), nil, c.headers...)
			if w.Code != c.status || w.Header().Get("WWW-Authenticate") != c.challenge {
				t.Errorf("status %d, challenge %s", w.Code, w.Header().Get("WWW-Authenticate"))
			}
			if c.status == 200 {
				if w.Body.String() != "alice<nil>" {
					t.Errorf("body %s", w.Body)
				}
				return
			}
			var p problem.Body
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != c.status || p.Title == "" {
				t.Errorf("body %s: %v", w.Body, err)
			}
			if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
}

func TestMiddlewareTellsRevokedFromUnknown(t *testing.T) {
	raw := "Bearer " + signHS(hsHeader, payload(`"jti":"id"`))
	n := newNode(atEpoch)
	v := newVerifier(t, n, nil, hsIssuer())
	n.override = rescind.Stale
	w := get(v, nil, raw)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("stale: status %d, headers %v", w.Code, w.Header())
	}
	if w := get(v, []Option{AcceptStale()}, raw); w.Code != 200 {
		t.Errorf("stale, accepted on this route: status %d", w.Code)
	}
	n.override = rescind.Unknown
	if w := get(v, []Option{AcceptStale()}, raw); w.Code != 503 {
		t.Errorf("not ready: status %d", w.Code)
	}
	n.override = rescind.Revoked
	if w := get(v, []Option{AcceptStale()}, raw); w.Code != 401 {
		t.Errorf("revoked: status %d", w.Code)
	}
}

func TestMiddlewareOptions(t *testing.T) {
	v := newVerifier(t, nil, nil, hsIssuer())
	if got := get(v, []Option{Realm("a\"\r\nb")}).Header().Get("WWW-Authenticate"); got != `Bearer realm="ab"` {
		t.Errorf("challenge %s", got)
	}
	teapot := ErrorHandler(func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, ErrNoToken) {
			t.Errorf("error is %v", err)
		}
		w.WriteHeader(http.StatusTeapot)
	})
	if w := get(v, []Option{teapot}); w.Code != http.StatusTeapot {
		t.Errorf("status %d", w.Code)
	}
	if _, err := ClaimsFrom[map[string]any](t.Context()); !errors.Is(err, ErrNoToken) {
		t.Errorf("error is %v", err)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 200},
		{refuse(ErrRevoked, "", ""), 401},
		{fmt.Errorf("wrapped: %w", refuse(ErrSignature, "", "")), 401},
		{refuse(errKeysPending, "", ""), 503},
		{refuse(ErrUnknownKey, "", ""), 401},
		{rescind.ErrFull, 503},
		{&rescind.InvalidError{Field: "sub"}, 400},
		{errors.New("disk"), 500},
	} {
		if got := Status(c.err); got != c.want {
			t.Errorf("%v: status %d; want %d", c.err, got, c.want)
		}
	}
	w := httptest.NewRecorder()
	WriteError(w, errors.New("secret detail"), "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("status %d, body %s", w.Code, w.Body)
	}
}
