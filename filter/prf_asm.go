//go:build (amd64 || arm64) && !purego

package filter

import "golang.org/x/sys/cpu"

// hasAES says whether hash goes to AES instructions or to hashPortable.
var hasAES = cpu.X86.HasAES || cpu.ARM64.HasAES

// hash sets n hashes from out on to the function p of start and each of n
// strings. n is at least 1. It reads nothing of the strings but their bytes.
//
//go:noescape
func hash(p *prf, start *uint128, strings *string, n int, out *uint128)
