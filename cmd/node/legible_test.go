package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// hostile is what a claim, a name or a reason may hold: a colour, the title of the
// window, an 8-bit control, marks that turn the direction of writing, a bell, ends
// of lines and cells, and a rune outside of the first plane.
const hostile = "\x1b[32mvalid\x1b[0m\x1b]0;owned\x07\u009b31m\u202eevil\u2066\x7f\x00\nvalid: yes\tand\rmore\U000e0041"

// TestNothingOfANodeActsOnTheTerminal: whatever a node answers, with hostile words
// in every place, no command prints a rune that a terminal obeys, nor a line or a
// cell that the answer made up. In JSON the words are the same.
func TestNothingOfANodeActsOnTheTerminal(t *testing.T) {
	h, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	raw := strings.NewReplacer(`\u009b`, "\u009b", `\u202e`, "\u202e", `\u2066`, "\u2066", `\u007f`, "\x7f").Replace(string(h)) // as JSON allows
	say := func(template string) string { return strings.ReplaceAll(template, "HOSTILE", raw) }
	answers := map[string]string{
		"/v1/explain": say(`{"result": HOSTILE, "reason": HOSTILE, "status": 401, "steps": [{"check": HOSTILE, "asks": HOSTILE, "outcome": HOSTILE}],
			"scopes": [{"scope": HOSTILE, "value": HOSTILE, "outcome": HOSTILE, "why": HOSTILE}]}`),
		"/v1/cluster": say(`{"cluster": HOSTILE, "name": HOSTILE, "version": HOSTILE, "reasons": [HOSTILE], "members": [{"name": HOSTILE, "state": HOSTILE}],
			"carriers": [{"name": HOSTILE, "last_error": HOSTILE}], "settings": {"digest": HOSTILE, "failing": [HOSTILE], "need_restart": [HOSTILE]},
			"problems": [{"severity": HOSTILE, "what": HOSTILE, "meaning": HOSTILE, "do": HOSTILE}]}`),
		"/v1/events":      "data: " + say(`{"member": HOSTILE, "state": HOSTILE}`) + "\n\ndata: " + say(`{"scope": HOSTILE, "digest": HOSTILE}`) + "\n\n",
		"/v1/revocations": say(`{"scope": HOSTILE, "digest": HOSTILE, "version": HOSTILE, "acknowledged": [{"node": HOSTILE}], "missing": [HOSTILE], "note": HOSTILE}`),
		"/v1/revocations/bulk": say(`{"line": 1, "status": 400, "problem": {"title": HOSTILE, "detail": HOSTILE}}`) + "\n" +
			say(`{"done": true, "lines": 1, "failed": 1}`) + "\n",
		"/v1/check": say(`{"title": HOSTILE, "detail": HOSTILE}`),
		"/readyz":   say(`{"ready": false, "reasons": [HOSTILE]}`),
	}
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/check", "/readyz":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/v1/revocations":
			w.WriteHeader(http.StatusCreated)
		}
		w.Write([]byte(answers[r.URL.Path]))
	}))
	t.Cleanup(node.Close)
	dir := t.TempDir()
	put(t, dir+"/admin", "the-admin-token-0123456789")
	put(t, dir+"/bulk", "{}\n")
	admin := []string{"--addr", node.URL, "--admin-token-file", dir + "/admin"}
	for name, args := range map[string][]string{
		"explain": append([]string{"check", "--explain"}, admin...), "status": append([]string{"status"}, admin...),
		"members": append([]string{"members"}, admin...), "watch": append([]string{"watch"}, admin...),
		"revoke": append([]string{"revoke", "--scope", "jti", "--id", "x"}, admin...), "bulk": append([]string{"revoke", "--file", dir + "/bulk"}, admin...),
		"check": {"check", "--addr", node.URL}, "healthcheck": {"healthcheck", "--addr", node.URL},
	} {
		for _, more := range [][]string{nil, {"--json"}} {
			if name == "healthcheck" && more != nil {
				continue
			}
			t.Run(strings.Join(append([]string{name}, more...), " "), func(t *testing.T) {
				var out strings.Builder
				run(t.Context(), env{append(args, more...), strings.NewReader("a.b.c"), &out, &out})
				if !strings.Contains(out.String(), "evil") {
					t.Fatalf("it does not show the answer: %q", out.String())
				}
				for i, r := range out.String() {
					if !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
						t.Fatalf("it prints %U: %q", r, out.String()[max(0, i-20):])
					}
				}
				for line := range strings.Lines(out.String()) {
					if strings.HasPrefix(line, "valid") {
						t.Errorf("the answer made up a line: %q", line)
					}
				}
			})
		}
	}
}

func TestLegibleJSONSaysTheSame(t *testing.T) {
	in, err := json.Marshal(map[string]string{hostile: hostile + "\u202e\u009b\U000e0041\ufffd"})
	if err != nil {
		t.Fatal(err)
	}
	raw := strings.NewReplacer(`\u009b`, "\u009b", `\u202e`, "\u202e").Replace(string(in))
	var before, after map[string]string
	if err := json.Unmarshal([]byte(raw), &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(legibleJSON([]byte(raw)), &after); err != nil || before[hostile] != after[hostile] || len(after) != 1 {
		t.Errorf("%q after %q: %v", after, before, err)
	}
}

// TestAnswersAreReadInOnePlace: a command that reads an answer by itself would print
// it as it came.
func TestAnswersAreReadInOnePlace(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "legible.go" {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "json.Unmarshal(") {
			t.Errorf("%s reads JSON by itself; use decodeAnswer", file)
		}
	}
}
