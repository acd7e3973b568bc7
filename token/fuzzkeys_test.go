package token

import (
	"bytes"
	"testing"
)

// FuzzJWKS looks for sets that make the parser panic, or that it takes although
// they hold what must never be in one.
func FuzzJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{` + ecKey + `,"kid":"k","use":"sig","alg":"ES256","key_ops":["verify"]}]}`))
	f.Add([]byte(`{"keys":[` + rfcRSKey + `,{` + edKey + `}]}`))
	f.Add([]byte(`{"keys":[{` + ecKey + `,"d":null}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		strict, err := parseJWKS(raw, false)
		lenient, lenientErr := parseJWKS(raw, true)
		if err == nil && lenientErr != nil {
			t.Fatalf("taken from a file and not from a URL: %v", lenientErr)
		}
		if lenientErr != nil {
			return
		}
		if err == nil && len(strict.keys) != len(lenient.keys) {
			t.Fatal("more keys from one source than from the other")
		}
		for _, k := range lenient.keys {
			if err := checkPublicKey(k.key); err != nil {
				t.Fatal(err)
			}
			if k.kty == "oct" || bytes.IndexByte([]byte(k.kid), 0) >= 0 || len(k.kid) > maxKeyIDLen {
				t.Fatalf("%+v", k)
			}
			if k.alg != "" && !k.fits(k.alg, algorithms[k.alg]) {
				t.Fatalf("a key that fits not even its own algorithm: %+v", k)
			}
		}
	})
}
