package jwks

import "math/big"

// rocaPrimes are the small primes for which the flawed generator of
// CVE-2017-15361 leaves a trace that ordinary primes don't.
var rocaPrimes = []uint16{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
	89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// hasROCAFingerprint reports whether n is a power of 65537 modulo every small
// prime, which holds for every modulus of the flawed generator and for one in
// some 2^27 others (Nemec et al., The Return of Coppersmith's Attack, 2017,
// section 3.1).
func hasROCAFingerprint(n *big.Int) bool {
	var residue, prime big.Int
	for _, p := range rocaPrimes {
		residue.Mod(n, prime.SetUint64(uint64(p)))
		if !inSubgroup(uint32(residue.Uint64()), uint32(p)) {
			return false
		}
	}
	return true
}

// inSubgroup reports whether r is a power of 65537 modulo p.
func inSubgroup(r, p uint32) bool {
	g := 65537 % p
	for x := uint32(1); ; {
		if x == r {
			return true
		}
		if x = x * g % p; x == 1 {
			return false
		}
	}
}
