package token

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"rescind/token/internal/strict"
)

// header is the part of a JOSE header (RFC 7515 section 4.1) that is used.
// jwk, jku, x5u, x5c and unknown members are ignored and never fetched.
type header struct {
	alg string
	kid string // "" where the token names none
	typ string // lower case, without "application/"; "" where the token has none
}

var headerNames = []string{"alg", "kid", "typ", "crit", "b64"}

var errCritical = errors.New("an extension that must be understood")

// parseHeader reads a JOSE header. Unencoded payloads (RFC 7797) and every
// critical extension are refused: none is understood here.
func parseHeader(raw []byte, maxDepth int) (header, error) {
	var h header
	err := strict.ReadObject(raw, maxDepth, headerNames, h.read)
	switch {
	case err == errCritical:
		return header{}, refuse(ErrMalformed, "header", "crit and b64 are not accepted")
	case err != nil:
		return header{}, refuse(ErrMalformed, "header", "the header is not acceptable JSON")
	case h.alg == "":
		return header{}, refuse(ErrAlgorithm, "header", "the header names no algorithm")
	}
	return h, nil
}

func (h *header) read(name string, dec *jsontext.Decoder) (err error) {
	switch name {
	case "alg":
		h.alg, err = strict.ReadString(dec, 16)
	case "kid":
		h.kid, err = strict.ReadString(dec, strict.MaxKeyIDLen)
	case "typ":
		h.typ, err = strict.ReadString(dec, 64)
		h.typ = normalType(h.typ)
	case "crit", "b64":
		err = errCritical
	default:
		err = strict.Skip(dec)
	}
	return err
}

// normalType gives media types their one spelling: they ignore case, and
// "application/" may be left out (RFC 7515 section 4.1.9).
func normalType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}
