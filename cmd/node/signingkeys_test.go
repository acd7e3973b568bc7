package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keysCommand runs 'keys ...' and returns its exit code and output.
func keysCommand(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), env{append([]string{"keys"}, args...), strings.NewReader(""), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func TestKeysRotateAndList(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if code, _, problem := keysCommand(t, "generate", "--dir", dir); code != exitOK {
		t.Fatal(problem)
	}
	list := func() []keyLine {
		code, out, problem := keysCommand(t, "list", "--dir", dir, "--json")
		var lines []keyLine
		if err := json.Unmarshal([]byte(out), &lines); err != nil || code != exitOK {
			t.Fatalf("%v %d: %s%s", err, code, out, problem)
		}
		return lines
	}
	first := list()
	if len(first) != 1 || first[0].State != "signs" || first[0].Until != nil {
		t.Fatalf("%+v", first)
	}
	code, out, problem := keysCommand(t, "rotate", "--dir", dir)
	if code != exitOK || !strings.Contains(out, "next") {
		t.Fatalf("%d: %s%s", code, out, problem)
	}
	rotated := list()
	if len(rotated) != 2 || rotated[0].State != "next" || rotated[1].State != "signs" || rotated[1].KeyID != first[0].KeyID || rotated[1].Until == nil {
		t.Fatalf("%+v", rotated)
	}
	public, err := os.ReadFile(filepath.Join(dir, "jwks.json"))
	if err != nil || !bytes.Contains(public, []byte(rotated[0].KeyID)) || bytes.Contains(public, []byte(`"d"`)) {
		t.Errorf("published %s, %v", public, err)
	}
	for name, mode := range map[string]os.FileMode{issuerFile: 0o600, "jwks.json": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	code, _, problem = keysCommand(t, "rotate", "--dir", dir, "--leaked", first[0].KeyID)
	if left := list(); code != exitOK || !strings.Contains(problem, "--scope kid") || len(left) != 2 || left[1].State != "signs" || left[1].KeyID == first[0].KeyID {
		t.Errorf("%d: %s, left %+v", code, problem, left)
	}
	if code, _, problem = keysCommand(t, "rotate", "--dir", dir, "--leaked", "nobody"); code != exitUsage {
		t.Errorf("an unknown kid: %d, %s", code, problem)
	}
}
