package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notSettings look like a setting and are none: files that 'keys generate' makes,
// and a backup; and cluster.follow, which nodes that are not named are pointed at
// and which comes with the followers.
var notSettings = []string{"cluster.follow", "cluster.key", "admin.token", "node.yaml", "revocations.rescind"}

// TestTextsNameSettings: an operator follows what a finding, an error or an alert
// says. Each setting that the sources or the alert rules name must exist, by that
// name.
func TestTextsNameSettings(t *testing.T) {
	known, sections := map[string]bool{}, map[string]bool{}
	for _, s := range Settings() {
		section, _, _ := strings.Cut(s.Key, ".")
		known[s.Key], sections[section] = true, true
	}
	name := regexp.MustCompile(`(^|[^A-Za-z0-9_./-])([a-z][a-z-]*)\.([a-z][a-z0-9-]*[a-z0-9])($|[^A-Za-z0-9_(/-])`)
	found := 0
	look := func(file, text string) {
		for rest := text; ; {
			at := name.FindStringSubmatchIndex(rest)
			if at == nil {
				return
			}
			key := rest[at[4]:at[7]]
			if section := rest[at[4]:at[5]]; sections[section] && !slices.Contains(notSettings, key) {
				if found++; !known[key] {
					t.Errorf("%s names %s, which is not a setting: %.100q", file, key, text)
				}
			}
			rest = rest[at[7]:]
		}
	}
	root := filepath.Join("..", "..", "..")
	for _, dir := range []string{"cluster", "cmd", "gossip", "httpapi", "internal", "token"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && strings.Contains(lit.Value, " ") {
					look(path, lit.Value)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rules, err := os.ReadFile(filepath.Join(root, "deploy", "observe", "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	look("rules.yml", string(rules))
	if found < 50 {
		t.Errorf("only %d names were found", found)
	}
}
