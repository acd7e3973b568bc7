package token

import (
	"testing"
	"unsafe"
)

func TestCacheStats(t *testing.T) {
	v := newVerifier(t, nil, func(c *VerifierConfig) { c.CacheTokens = 100 }, hsIssuer())
	raw := sign(t, "HS256", []byte(testSecret), `{"alg":"HS256","typ":"at+jwt"}`, payload(""))
	for range 3 {
		if _, err := v.Verify(raw); err != nil {
			t.Fatal(err)
		}
	}
	v.Verify("no token")
	st := v.CacheStats()
	if st.Hits != 2 || st.Misses != 2 || st.Tokens != 1 || st.Bytes < len(raw) {
		t.Errorf("%+v", st)
	}
	off := newVerifier(t, nil, func(c *VerifierConfig) { c.CacheTokens = -1 }, hsIssuer())
	off.Verify(raw)
	if st := off.CacheStats(); st != (CacheStats{}) {
		t.Errorf("a cache that is off counts: %+v", st)
	}
}

// Shards that share a cache line would slow each other down.
func TestShardsHaveCacheLinesOfTheirOwn(t *testing.T) {
	if size := unsafe.Sizeof(shard{}); size%64 != 0 {
		t.Errorf("a shard has %d bytes", size)
	}
}
