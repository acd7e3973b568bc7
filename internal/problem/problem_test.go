package problem

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"rescind"
)

// sentinels are all that a client can meet, by the names that the sources give
// them; the test reads these for what is missing.
var sentinels = map[string]error{
	"rescind.ErrFull": rescind.ErrFull, "rescind.ErrStoreFull": rescind.ErrStoreFull,
	"rescind.ErrNotReady": rescind.ErrNotReady, "rescind.ErrUnavailable": rescind.ErrUnavailable,
	"rescind.ErrClosed": rescind.ErrClosed, "rescind.ErrIsolated": rescind.ErrIsolated, "rescind.ErrUnconfirmed": rescind.ErrUnconfirmed,
	"rescind.ErrBehind": rescind.ErrBehind, "rescind.ErrConsumed": rescind.ErrConsumed, "rescind.ErrRevoked": rescind.ErrRevoked,
	"rescind.ErrStale": rescind.ErrStale, "rescind.ErrUndecided": rescind.ErrUndecided, "rescind.ErrStrictOff": rescind.ErrStrictOff,
	"rescind.ErrBusy": rescind.ErrBusy,

	"context.DeadlineExceeded": context.DeadlineExceeded, "context.Canceled": context.Canceled,

	"problem.ErrNoToken": ErrNoToken, "problem.ErrRequest": ErrRequest, "problem.ErrMalformed": ErrMalformed, "problem.ErrTooLarge": ErrTooLarge,
	"problem.ErrAlgorithm": ErrAlgorithm, "problem.ErrUnknownKey": ErrUnknownKey, "problem.ErrSignature": ErrSignature, "problem.ErrDecryption": ErrDecryption,
	"problem.ErrClaims": ErrClaims, "problem.ErrUnknownIssuer": ErrUnknownIssuer, "problem.ErrAudience": ErrAudience, "problem.ErrType": ErrType,
	"problem.ErrExpired": ErrExpired, "problem.ErrNotYetValid": ErrNotYetValid, "problem.ErrIssuedInFuture": ErrIssuedInFuture,
	"problem.ErrLifetime": ErrLifetime, "problem.ErrScope": ErrScope, "problem.ErrIssuer": ErrIssuer, "problem.ErrSuspended": ErrSuspended, "problem.ErrStatus": ErrStatus,
	"problem.ErrReused": ErrReused, "problem.ErrNotReady": ErrNotReady, "problem.ErrTooSoon": ErrTooSoon,
	"problem.ErrInvalidClient": ErrInvalidClient, "problem.ErrTooManyTries": ErrTooManyTries, "problem.ErrOtherClient": ErrOtherClient, "problem.ErrMayNot": ErrMayNot,
}

// declared returns the names of the Err variables of a file, and what each is
// set to.
func declared(t *testing.T, file string) map[string]ast.Expr {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]ast.Expr{}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			for i, name := range v.Names {
				if strings.HasPrefix(name.Name, "Err") {
					found[name.Name] = v.Values[i]
				}
			}
		}
	}
	return found
}

// TestEverySentinelHasARow: whoever adds an error must say what clients are told
// of it, on every interface.
func TestEverySentinelHasARow(t *testing.T) {
	for pkg, file := range map[string]string{"rescind.": "../../errors.go", "problem.": "sentinels.go"} {
		for name := range declared(t, file) {
			if sentinels[pkg+name] == nil {
				t.Errorf("%s declares %s, which is not in this test", file, name)
			}
		}
	}
	for name, value := range declared(t, "../../token/errors.go") {
		if _, alias := value.(*ast.SelectorExpr); !alias {
			t.Errorf("token.%s is declared in package token, where the table can't name it", name)
		}
	}
	for name, err := range sentinels {
		rows := slices.DeleteFunc(slices.Clone(table), func(r row) bool { return r.err != err })
		if len(rows) != 1 {
			t.Errorf("%s has %d rows", name, len(rows))
		}
		for _, err := range []error{err, fmt.Errorf("do it: %w", err), errors.Join(errors.New("and more"), err)} {
			checkAnswers(t, name, err)
		}
	}
}

// checkAnswers asserts that err is told as one thing by HTTP, OAuth and gRPC.
func checkAnswers(t *testing.T, name string, err error) {
	t.Helper()
	k := Of(err)
	if k == Unexpected || k == Success || k.Status == 0 || k.Status == http.StatusInternalServerError {
		t.Errorf("%s is an internal error", name)
	}
	passing := k.Status == http.StatusServiceUnavailable || k.Status == http.StatusTooManyRequests
	if (k.Retry > 0) != passing {
		t.Errorf("%s: %d and Retry-After %v", name, k.Status, k.Retry)
	}
	if (k.GRPC == CodeUnavailable) != (k.Status == http.StatusServiceUnavailable) || k.GRPC == CodeOK || k.GRPC == CodeInternal {
		t.Errorf("%s: %d and the gRPC code %d", name, k.Status, k.GRPC)
	}
	if (k.GRPC == CodeUnauthenticated) != (k.Status == http.StatusUnauthorized || k == Header) {
		t.Errorf("%s: %d and the gRPC code %d", name, k.Status, k.GRPC)
	}
	w := httptest.NewRecorder()
	Write(w, err, "realm")
	var body Body
	if json.Unmarshal(w.Body.Bytes(), &body) != nil || w.Code != k.Status || body.Status != k.Status || body.Title == "" || body.Type != k.Type() {
		t.Errorf("%s: %d %s", name, w.Code, w.Body)
	}
	if want := k.Bearer != "" || k == NoToken; (w.Header().Get("WWW-Authenticate") != "") != want {
		t.Errorf("%s: challenge %q", name, w.Header().Get("WWW-Authenticate"))
	}
	if got := w.Header().Get("Retry-After"); (got != "") != passing {
		t.Errorf("%s: Retry-After %q", name, got)
	}
	checkOAuth(t, name, err, k)
}

func checkOAuth(t *testing.T, name string, err error, k Kind) {
	t.Helper()
	w := httptest.NewRecorder()
	WriteOAuth(w, err)
	var body OAuthBody
	if json.Unmarshal(w.Body.Bytes(), &body) != nil || body.Error == "" || w.Code < 400 || w.Code == http.StatusInternalServerError {
		t.Errorf("%s at an OAuth endpoint: %d %s", name, w.Code, w.Body)
	}
	if (w.Code == http.StatusServiceUnavailable) != (k.Status == http.StatusServiceUnavailable || k == Unconfirmed) {
		t.Errorf("%s: %d, and %d at an OAuth endpoint", name, k.Status, w.Code)
	}
	if w.Code == http.StatusServiceUnavailable {
		if seconds, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("%s: Retry-After %q", name, w.Header().Get("Retry-After"))
		}
	}
	if (w.Code == http.StatusUnauthorized) != (body.Error == "invalid_client") {
		t.Errorf("%s: %d %s", name, w.Code, body.Error)
	}
}

// A client reads types and codes: each kind has them, and words that fit where
// OAuth and RFC 6750 put them.
func TestKindsAreComplete(t *testing.T) {
	plain := regexp.MustCompile(`^[ !#-\[\]-~]*$`) // of RFC 6749, appendix A.8
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	kinds := Kinds()
	for _, k := range kinds {
		if k.Title == "" || k.OAuth == "" || k.GRPC == CodeOK || k.Status < 200 || k.Name != "" && !name.MatchString(k.Name) {
			t.Errorf("%+v is incomplete", k)
		}
		if !plain.MatchString(k.Detail) || !plain.MatchString(k.Title) {
			t.Errorf("%s can't be an error_description: %q", k.Name, k.Detail)
		}
	}
	for _, r := range table {
		if !slices.Contains(kinds, r.kind) {
			t.Errorf("%v is of a kind that is not listed", r.err)
		}
	}
}

// What an error wraps decides, and a failure of the node before one of the token.
func TestTheFirstRowCounts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{fmt.Errorf("%w: %w", ErrUnknownKey, ErrNotReady), CannotKnow},
		{errors.Join(ErrExpired, rescind.ErrStale), Stale},
		{errors.Join(rescind.ErrFull, ErrReused), Token},
		{fmt.Errorf("%w: %w", rescind.ErrUnavailable, context.DeadlineExceeded), Unstored},
		{errors.Join(rescind.ErrUnconfirmed, rescind.ErrConsumed), Consumed},
		{&rescind.InvalidError{Field: "iss", Problem: "is wrong"}, InvalidField},
		{&Error{Kind: TooLarge, Detail: "too much"}, TooLarge},
		{errors.New("disk: /var/lib is full of secrets"), Unexpected},
		{nil, Success},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got.Name, c.want.Name)
		}
	}
}

func TestUnexpectedErrorsAreNotQuoted(t *testing.T) {
	err := errors.New("the secret")
	for _, write := range []func(http.ResponseWriter){
		func(w http.ResponseWriter) { Write(w, err, "") },
		func(w http.ResponseWriter) { WriteOAuth(w, err) },
	} {
		w := httptest.NewRecorder()
		if write(w); strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s", w.Body)
		}
	}
}
