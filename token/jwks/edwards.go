package jwks

import (
	"bytes"
	"crypto/ed25519"
	"errors"

	"filippo.io/edwards25519"
)

// checkEd25519 refuses what is not a point in its one form (RFC 8032 section 5.1.3),
// and the eight points of small order: under those a signature can be good for any
// message. Verifying would take the latter for keys.
func checkEd25519(k ed25519.PublicKey) error {
	p, err := new(edwards25519.Point).SetBytes(k) // takes other forms, too
	if err != nil || !bytes.Equal(p.Bytes(), k) {
		return errors.New("the Ed25519 key is not a point on the curve")
	}
	if p.MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return errors.New("the Ed25519 key is a point of small order, under which anybody can sign")
	}
	return nil
}
