package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestVerifyWritesItsFigures runs the smallest comparison; what the figures are
// is not tested.
func TestVerifyWritesItsFigures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "verify.json")
	args := []string{"--rounds", "1", "--tokens", "2", "--repeats", "2", "--revoked", "10", "--json", path}
	if err := commands()["verify"].measure(t.Context(), "verify", args); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Figures map[string]float64 }
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"es256", "rs256", "eddsa", "hs256"} {
		for _, name := range []string{"cached." + alg + ".ns", "cached." + alg + ".allocs", "cached." + alg + ".ratio.golang_jwt", "first." + alg + ".ratio.golang_jwt"} {
			if doc.Figures["verify."+name] <= 0 {
				t.Errorf("verify.%s is %v", name, doc.Figures["verify."+name])
			}
		}
	}
}
