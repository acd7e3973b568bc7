//go:build !(amd64 || arm64) || purego

package filter

// hash sets n hashes from out on to the function p of start and each of n
// strings. n is at least 1.
func hash(p *prf, start *uint128, strings *string, n int, out *uint128) {
	hashPortable(p, start, strings, n, out)
}
