package verify

import (
	"testing"

	"rescind/bench/report"
)

// TestRunEntersItsFigures runs the smallest comparison; what the figures are is
// not tested.
func TestRunEntersItsFigures(t *testing.T) {
	r := report.New("verify")
	if err := Run(t.Context(), []string{"--rounds", "1", "--tokens", "2", "--repeats", "2", "--revoked", "10"}, r); err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"es256", "rs256", "eddsa", "hs256"} {
		for _, name := range []string{"cached." + alg + ".ns", "cached." + alg + ".allocs", "cached." + alg + ".ratio.golang_jwt", "first." + alg + ".ratio.golang_jwt"} {
			if r.Figures["verify."+name] <= 0 {
				t.Errorf("verify.%s is %v", name, r.Figures["verify."+name])
			}
		}
	}
}
