// Package statuslist is the data structure of a Token Status List: the statuses
// of many tokens, of 1, 2, 4 or 8 bits each, packed from the least significant
// bit, compressed and written as text (draft-ietf-oauth-status-list-20 section 4).
//
// [Parse] takes what a stranger sends: the caller bounds what a list may occupy,
// and nothing is unpacked beyond that. It accepts one spelling of the text only,
// and no data behind the list. Neither fetching nor signatures are here; see
// package token.
//
// A list of 2^20 tokens of 1 bit occupies 128 KiB; reading a status is an access
// to one byte.
package statuslist

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Status is the status of a token. Those not named here are of the application
// (0x03, 0x0C to 0x0F) or reserved (section 7).
type Status uint8

// The registered statuses.
const (
	Valid     Status = 0x00
	Invalid   Status = 0x01 // revoked, for good
	Suspended Status = 0x02 // for now
)

// List is a list of statuses. It may be read by several goroutines at once, but
// not while it is being changed.
type List struct {
	bits   int    // of one status: 1, 2, 4 or 8
	packed []byte // of 8/bits statuses each, the first in the lowest bits
}

var errBits = errors.New("statuslist: a status must have 1, 2, 4 or 8 bits")

// New returns a list of at least n statuses of the given number of bits, all
// Valid: n is rounded up to whole bytes.
func New(bits, n int) (*List, error) {
	if !validBits(bits) {
		return nil, errBits
	}
	if n < 0 {
		return nil, fmt.Errorf("statuslist: %d statuses", n)
	}
	perByte := 8 / bits
	return &List{bits: bits, packed: make([]byte, (n+perByte-1)/perByte)}, nil
}

func validBits(n int) bool { return n == 1 || n == 2 || n == 4 || n == 8 }

// Bits returns how many bits a status has.
func (l *List) Bits() int { return l.bits }

// Len returns how many statuses there are.
func (l *List) Len() int { return len(l.packed) * 8 / l.bits }

// Size returns how many bytes the list occupies.
func (l *List) Size() int { return len(l.packed) }

// Get returns the status at index i, or false if the list does not go that far:
// then it says nothing about the token.
func (l *List) Get(i uint64) (Status, bool) {
	perByte := uint64(8 / l.bits)
	if i/perByte >= uint64(len(l.packed)) {
		return 0, false
	}
	shift := i % perByte * uint64(l.bits)
	return Status(l.packed[i/perByte] >> shift & l.mask()), true
}

// Set changes the status at index i, from 0 to Len()-1. It panics if i or s is
// out of range.
func (l *List) Set(i int, s Status) {
	if s > Status(l.mask()) {
		panic(fmt.Sprintf("statuslist: status %d does not fit into %d bits", s, l.bits))
	}
	perByte := 8 / l.bits
	shift := i % perByte * l.bits
	l.packed[i/perByte] = l.packed[i/perByte]&^(l.mask()<<shift) | byte(s)<<shift
}

func (l *List) mask() byte { return byte(1<<l.bits - 1) }

// Encode returns the member lst: the list, compressed as well as can be (ZLIB,
// RFC 1950), in base64url.
func (l *List) Encode() string {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err == nil {
		_, err = w.Write(l.packed)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // the level is known, and a buffer takes everything
	}
	return base64.RawURLEncoding.EncodeToString(b.Bytes())
}

// Why a list could not be read, for errors.Is.
var (
	ErrMalformed = errors.New("statuslist: malformed")
	ErrTooLarge  = errors.New("statuslist: larger than allowed")
)

var strictBase64 = base64.RawURLEncoding.Strict()

// Parse reads the members bits and lst. Errors match ErrMalformed, or ErrTooLarge
// if the list would occupy more than maxBytes, which is found out without
// unpacking the rest.
func Parse(bits int, lst string, maxBytes int) (*List, error) {
	if !validBits(bits) {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, errBits)
	}
	if strings.ContainsAny(lst, "\r\n") { // which the decoder would skip
		return nil, fmt.Errorf("%w: lst is not base64url", ErrMalformed)
	}
	compressed, err := strictBase64.DecodeString(lst)
	if err != nil {
		return nil, fmt.Errorf("%w: lst is not base64url", ErrMalformed)
	}
	packed, err := inflate(compressed, maxBytes)
	if err != nil {
		return nil, err
	}
	return &List{bits: bits, packed: packed}, nil
}

// inflate unpacks at most maxBytes.
func inflate(compressed []byte, maxBytes int) ([]byte, error) {
	in := bytes.NewReader(compressed)
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%w: lst is not compressed by ZLIB: %w", ErrMalformed, err)
	}
	packed, err := io.ReadAll(io.LimitReader(z, int64(maxBytes)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: unpacking lst: %w", ErrMalformed, err)
	case len(packed) > maxBytes:
		return nil, fmt.Errorf("%w: of %d bytes", ErrTooLarge, maxBytes)
	case in.Len() > 0: // a bytes.Reader is read no further than needed
		return nil, fmt.Errorf("%w: there is data behind the list", ErrMalformed)
	}
	return packed, nil
}
