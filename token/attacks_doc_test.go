package token

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestEveryAttackHasItsTest keeps docs/attacks.md true.
func TestEveryAttackHasItsTest(t *testing.T) {
	tests := make(map[string]bool)
	for _, pattern := range []string{"*_test.go", "../cluster/*_test.go", "../httpapi/*_test.go", "../httpapi/ssf/*_test.go", "../httpapi/extauthz/*_test.go", "../gossip/carrier/*_test.go", "../internal/admission/*_test.go", "../internal/store/*_test.go", "../filter/*_test.go", "../gossip/*_test.go", "../httpapi/dashboard/*_test.go", "../cmd/node/*_test.go", "../internal/onetime/*_test.go"} {
		for _, path := range must(filepath.Glob(pattern)) {
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(must(os.ReadFile(path)), -1) {
				tests[string(m[1])] = true
			}
		}
	}
	rows := regexp.MustCompile(`Test\w+`).FindAllString(string(must(os.ReadFile("../docs/attacks.md"))), -1)
	if len(rows) < 40 {
		t.Errorf("only %d tests are named", len(rows))
	}
	for _, name := range rows {
		if !tests[name] {
			t.Errorf("%s does not exist", name)
		}
	}
}
