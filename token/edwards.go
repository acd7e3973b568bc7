package token

import (
	"crypto/ed25519"
	"errors"
	"math/big"
	"slices"
)

// The curve of Ed25519 (RFC 8032 section 5.1): -x^2 + y^2 = 1 + d x^2 y^2 over
// the integers modulo p. Only public keys are looked at here, and only when they
// are loaded, so plain arithmetic will do.
var (
	edP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	edD = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), edP)
		return d.Mod(d.Mul(d, big.NewInt(-121665)), edP)
	}()
)

// checkEd25519 refuses what is no point in its one form, and the eight points of
// small order: under those a signature can be good for any message. Verifying
// would take the latter for keys.
func checkEd25519(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return errors.New("an Ed25519 key has 32 bytes")
	}
	b := slices.Clone(k)
	slices.Reverse(b) // big.Int is big-endian
	odd := b[0]>>7 == 1
	b[0] &= 0x7f
	y := new(big.Int).SetBytes(b)
	x := edX(y)
	if y.Cmp(edP) >= 0 || x == nil || odd && x.Sign() == 0 {
		return errors.New("the Ed25519 key is not a point on the curve")
	}
	for range 3 {
		x, y = edDouble(x, y)
	}
	if x.Sign() == 0 && y.Cmp(big.NewInt(1)) == 0 {
		return errors.New("the Ed25519 key is a point of small order, under which anybody can sign")
	}
	return nil
}

// edX returns one of the two x that belong to y, or nil.
func edX(y *big.Int) *big.Int {
	yy := new(big.Int).Mul(y, y)
	num := new(big.Int).Sub(yy, big.NewInt(1))
	den := new(big.Int).Add(new(big.Int).Mul(edD, yy), big.NewInt(1))
	if den.ModInverse(den, edP) == nil {
		return nil
	}
	num.Mod(num.Mul(num, den), edP)
	return new(big.Int).ModSqrt(num, edP)
}

func edDouble(x, y *big.Int) (x2, y2 *big.Int) {
	xx, yy := new(big.Int).Mul(x, x), new(big.Int).Mul(y, y)
	over := func(num, den *big.Int) *big.Int {
		den.Mod(den, edP)
		num.Mul(num, den.ModInverse(den, edP)) // never 0 on this curve
		return num.Mod(num, edP)
	}
	xy := new(big.Int).Mul(x, y)
	x2 = over(xy.Lsh(xy, 1), new(big.Int).Sub(yy, xx))
	den := new(big.Int).Sub(big.NewInt(2), yy)
	y2 = over(new(big.Int).Add(yy, xx), den.Add(den, xx))
	return x2, y2
}
