package rescind_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testName = regexp.MustCompile(`\bTest[A-Z]\w+`)

// TestEveryThreatHasItsTest keeps docs/threat-model.md true: each row of its first
// table names tests, and each of them exists.
func TestEveryThreatHasItsTest(t *testing.T) {
	exist := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
			exist[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "|---|---|---|---|\n")
	table, _, _ := strings.Cut(rest, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) < 6 {
		t.Errorf("only %d attackers", len(rows))
	}
	for _, row := range rows {
		attacker := strings.TrimSpace(strings.Split(row, "|")[1])
		names := testName.FindAllString(row, -1)
		if len(names) < 3 {
			t.Errorf("%s: only %d tests", attacker, len(names))
		}
		for _, name := range names {
			if !exist[name] {
				t.Errorf("%s: %s does not exist", attacker, name)
			}
		}
	}
}
