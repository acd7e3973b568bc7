package httpapi

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"rescind/internal/problem"
)

type operation struct {
	Responses map[string]struct {
		Content map[string]any `json:"content"`
		Headers map[string]any `json:"headers"`
	} `json:"responses"`
}

type description struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas struct {
			Problem struct {
				Properties struct {
					Type struct {
						Enum []string `json:"enum"`
					} `json:"type"`
				} `json:"properties"`
			}
		} `json:"schemas"`
	} `json:"components"`
}

var described = sync.OnceValue(func() (d description) {
	if err := json.Unmarshal(openAPI, &d); err != nil {
		panic(err)
	}
	return d
})

// checkDescribed asserts that the document knows an answer: its status at that
// path, its media type, and its problem type.
func checkDescribed(t testing.TB, req *http.Request, rec *httptest.ResponseRecorder) {
	t.Helper()
	media, _, _ := strings.Cut(rec.Header().Get("Content-Type"), ";")
	if media == "application/problem+json" {
		var p problem.Body
		if json.Unmarshal(rec.Body.Bytes(), &p) == nil && !slices.Contains(described().Components.Schemas.Problem.Properties.Type.Enum, p.Type) {
			t.Errorf("openapi.json lacks the problem type %s", p.Type)
		}
	}
	path, method := req.URL.Path, strings.ToLower(req.Method)
	if strings.HasPrefix(path, checkPath+"/") {
		path = checkPath
	}
	if method == "head" && path != checkPath {
		method = "get"
	}
	if strings.HasPrefix(path, statusPrefix) {
		path = statusPath
	}
	op, ok := described().Paths[path][method]
	if !ok || rec.Code == http.StatusMethodNotAllowed {
		return // 404, 405, or a method that OpenAPI has no word for
	}
	answer, ok := op.Responses[strconv.Itoa(rec.Code)]
	if !ok {
		t.Errorf("openapi.json lacks status %d of %s %s: %s", rec.Code, req.Method, path, rec.Body)
		return
	}
	if _, ok := answer.Content[media]; !ok && rec.Body.Len() > 0 {
		t.Errorf("openapi.json lacks the media type %s in status %d of %s %s", media, rec.Code, req.Method, path)
	}
	if _, ok := answer.Headers["Retry-After"]; !ok && rec.Header().Get("Retry-After") != "" && rec.Code == 503 && path != "/readyz" {
		t.Errorf("openapi.json lacks Retry-After in status %d of %s %s", rec.Code, req.Method, path)
	}
}

// TestOpenAPI holds the document against the routes, in both directions.
func TestOpenAPI(t *testing.T) {
	r := newRig(t)
	rec := r.do("GET", "/openapi.json", "", "", "")
	wantStatus(t, rec, http.StatusOK)
	d := decode[description](t, rec.Body)
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("version %s", d.OpenAPI)
	}
	routes := map[string]route{}
	for _, rt := range r.api.table() {
		if rt.path == dashboardPath {
			continue // pages for people are no API
		}
		routes[rt.path] = rt
		for _, method := range []string{"get", "post", "put", "patch", "delete", "options"} {
			if _, there := d.Paths[rt.path][method]; there != rt.allows(strings.ToUpper(method)) {
				t.Errorf("%s %s: in the document %v, in the routes %v", method, rt.path, there, !there)
			}
		}
	}
	for path := range d.Paths {
		if _, ok := routes[path]; !ok {
			t.Errorf("the document has %s, which is no route", path)
		}
	}
	// Every reference leads somewhere.
	var tree map[string]any
	if err := json.Unmarshal(openAPI, &tree); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				var at any = tree
				for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
					next, _ := at.(map[string]any)
					at = next[part]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(tree)
}

// TestProblemTypesAreDocumented: docs/faces.md explains each, and no other.
func TestProblemTypesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/faces.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Problem types")
	section, _, _ = strings.Cut(section, "\n## ")
	var explained []string
	for line := range strings.Lines(section) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(rest, "`")
			explained = append(explained, "urn:rescind:problem:"+name)
		}
	}
	enum := slices.Sorted(slices.Values(described().Components.Schemas.Problem.Properties.Type.Enum))
	slices.Sort(explained)
	if !slices.Equal(enum, explained) {
		t.Errorf("the page explains\n%v\nthe document has\n%v", explained, enum)
	}
	var known []string
	for _, k := range problem.Kinds() {
		if k.Name != "" && !slices.Contains(known, k.Type()) {
			known = append(known, k.Type())
		}
	}
	slices.Sort(known)
	if !slices.Equal(enum, known) {
		t.Errorf("the document has\n%v\nthere are\n%v", enum, known)
	}
}
