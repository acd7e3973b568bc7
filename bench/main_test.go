package main

import (
	"strings"
	"testing"

	"rescind/bench/report"
)

// TestEveryCommandHasTheCommonFlags: --json and --out, and no argument that is
// not a flag goes unnoticed.
func TestEveryCommandHasTheCommonFlags(t *testing.T) {
	for name, c := range commands() {
		if c.about == "" || name == "diff" || name == "page" {
			continue
		}
		err := c.run(t.Context(), []string{"--json", "x", "--out", "y", "stray"}, report.New(name))
		if err == nil || !strings.Contains(err.Error(), `"stray"`) {
			t.Errorf("bench %s: a stray argument is answered with %v", name, err)
		}
	}
}
