package token

import (
	"bytes"
	"testing"

	"rescind/token/internal/strict"
	"rescind/token/jwks"
)

// FuzzJWKS looks for sets that make the parser panic, or that it takes although
// they hold what must never be in one.
func FuzzJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{` + ecKey + `,"kid":"k","use":"sig","alg":"ES256","key_ops":["verify"]}]}`))
	f.Add([]byte(`{"keys":[` + rfcRSKey + `,{` + edKey + `}]}`))
	f.Add([]byte(`{"keys":[{` + ecKey + `,"d":null}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		exact, err := jwks.Parse(raw, false)
		lenient, lenientErr := jwks.Parse(raw, true)
		if err == nil && lenientErr != nil {
			t.Fatalf("taken from a file and not from a URL: %v", lenientErr)
		}
		if lenientErr != nil {
			return
		}
		if err == nil && len(exact.Keys) != len(lenient.Keys) {
			t.Fatal("more keys from one source than from the other")
		}
		for _, k := range lenient.Keys {
			if err := jwks.CheckPublic(k.Public); err != nil {
				t.Fatal(err)
			}
			if k.Type == "oct" || bytes.IndexByte([]byte(k.KeyID), 0) >= 0 || len(k.KeyID) > strict.MaxKeyIDLen {
				t.Fatalf("%+v", k)
			}
			if k.Algorithm != "" && !k.Fits(k.Algorithm, jwks.Algorithms[k.Algorithm]) {
				t.Fatalf("a key that fits not even its own algorithm: %+v", k)
			}
		}
	})
}
