package rescind

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// Digest stands for a [Key]: 93 bits of a keyed pseudo-random function of
// (scope, issuer, id), 32 bits that all keys of an issuer share, and the scope in
// the three lowest bits of Lo, so that a record's scope is known wherever it
// travels, and which records are of one issuer. Its numeric order, Hi before Lo,
// equals the order of its bytes.
type Digest struct{ Hi, Lo uint64 }

const (
	scopeMask   = 7
	issuerShift = 3
	issuerMask  = (1<<32 - 1) << issuerShift
)

// MakeDigest marks 128 pseudo-random bits with their scope. Hi is never 0,
// which tables use to mean "no entry"; two keys collide for that reason with a
// probability of 2^-64.
func MakeDigest(scope Scope, hi, lo uint64) Digest {
	return Digest{Hi: max(hi, 1), Lo: lo&^scopeMask | uint64(scope)}
}

// Scope returns the scope that d was made for; of a digest that came from
// elsewhere it may be invalid.
func (d Digest) Scope() Scope { return Scope(d.Lo & scopeMask) }

// Issuer returns what the digests of one issuer share, and those of another do by
// chance, of 2^-32. It is pseudo-random, too, and tells nobody who that is.
func (d Digest) Issuer() uint32 { return uint32(d.Lo >> issuerShift) }

// OfIssuer returns d as a digest of another issuer.
func (d Digest) OfIssuer(issuer uint32) Digest {
	d.Lo = d.Lo&^issuerMask | uint64(issuer)<<issuerShift
	return d
}

// Less orders digests.
func (d Digest) Less(e Digest) bool {
	return d.Hi < e.Hi || d.Hi == e.Hi && d.Lo < e.Lo
}

// String returns 32 hexadecimal digits.
func (d Digest) String() string {
	var b [16]byte
	return hex.EncodeToString(d.Append(b[:0]))
}

// Append appends the 16 bytes of d, big-endian, to b.
func (d Digest) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, d.Hi)
	return binary.BigEndian.AppendUint64(b, d.Lo)
}

// DigestOf reads a digest from the first 16 bytes of b, which must be there.
func DigestOf(b []byte) Digest {
	return Digest{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
}

// Record is a revocation as nodes keep and exchange it.
type Record struct {
	Digest       Digest
	IssuedBefore Millis
	ExpiresAt    Millis
}

// Join merges two records of one digest: the maximum of each time. It is
// commutative, associative and idempotent.
func (r Record) Join(s Record) Record {
	r.IssuedBefore = max(r.IssuedBefore, s.IssuedBefore)
	r.ExpiresAt = max(r.ExpiresAt, s.ExpiresAt)
	return r
}

// Covers reports whether r revokes a token that matches its key and was issued
// at issuedAt: a token that can't be proven newer is revoked.
func (r Record) Covers(issuedAt Millis) bool { return issuedAt <= r.IssuedBefore }

// Withdraws reports whether r withdraws an issuer: see [Revocation.Withdraw].
func (r Record) Withdraws() bool {
	return r.Digest.Scope() == ScopeIss && r.IssuedBefore == Ever
}

// Replaces reports whether s need not be kept by whoever holds r: r withdraws the
// issuer of s and lasts as long, so that it refuses all that s does. Another
// withdrawal stays, in case that two issuers share their bits by chance.
func (r Record) Replaces(s Record) bool {
	return r.Withdraws() && s.Digest.Scope() != ScopeIss && r.Digest.Issuer() == s.Digest.Issuer() && s.ExpiresAt <= r.ExpiresAt
}

// Lapsed reports whether r may be forgotten at now.
func (r Record) Lapsed(now Millis) bool {
	return r.ExpiresAt < now.Add(-RetentionMargin)
}

// RecordSize is the length of a record's binary form in bytes.
const RecordSize = 32

// Append appends the binary form of r to b: the digest and both times,
// big-endian.
func (r Record) Append(b []byte) []byte {
	b = r.Digest.Append(b)
	b = binary.BigEndian.AppendUint64(b, uint64(r.IssuedBefore))
	return binary.BigEndian.AppendUint64(b, uint64(r.ExpiresAt))
}

var errBadRecord = errors.New("record without a digest, of an unknown scope, or with a time before 1970")

// RecordOf reads a record from the first RecordSize bytes of b, which must be
// there. It refuses an empty digest, an invalid scope and negative times.
func RecordOf(b []byte) (Record, error) {
	r := Record{
		Digest:       DigestOf(b),
		IssuedBefore: Millis(binary.BigEndian.Uint64(b[16:])),
		ExpiresAt:    Millis(binary.BigEndian.Uint64(b[24:])),
	}
	if r.Digest.Hi == 0 || !r.Digest.Scope().Valid() || r.IssuedBefore < 0 || r.ExpiresAt < 0 {
		return Record{}, errBadRecord
	}
	return r, nil
}
