//go:build (amd64 || arm64) && !purego

package filter

import "testing"

// TestWithoutAES: on a processor without instructions for AES the hashes are
// the same.
func TestWithoutAES(t *testing.T) {
	if !hasAES {
		t.Skip("this processor has none")
	}
	want := make([]uint128, 100)
	for i := range want {
		want[i] = testPRF.one(&testPRF.start, randomText[:i])
	}
	hasAES = false
	defer func() { hasAES = true }()
	for i := range want {
		if got := testPRF.one(&testPRF.start, randomText[:i]); got != want[i] {
			t.Errorf("%d bytes: %x, want %x", i, got, want[i])
		}
	}
}

var randomText = randomString(100)
