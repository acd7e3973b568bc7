package rescind

import (
	"cmp"
	"math"
	"math/bits"
	"time"
)

// BucketWidth is the span of expiry times that share a bucket.
const BucketWidth = 10 * time.Minute

// Bucket numbers a span of BucketWidth, counted from the Unix epoch.
type Bucket int64

// BucketOf returns the bucket of records that expire at t.
func BucketOf(t Millis) Bucket { return Bucket(t) / Bucket(BucketWidth.Milliseconds()) }

// FirstUnswept returns the first bucket of which no node sweeps a record before
// the given time from now has passed, if the clocks of nodes differ by at most
// MaxClockSkew. Sets that hold the same agree on the range from there to End.
func FirstUnswept(now Millis, within time.Duration) Bucket {
	lapsing := now.Add(MaxClockSkew + within - RetentionMargin) // what expires before may be gone
	return BucketOf(lapsing) + 1
}

// Bound is a place in the order of expiry buckets and, within one, of digests:
// right before the records of Bucket with digests from Digest on.
type Bound struct {
	Bucket Bucket
	Digest Digest
}

// PlaceOf returns the bound right before r.
func PlaceOf(r Record) Bound { return Bound{BucketOf(r.ExpiresAt), r.Digest} }

// End is the Bound behind every record.
var End = Bound{Bucket: math.MaxInt64}

// Compare returns -1, 0 or 1 as b lies before, at or behind o.
func (b Bound) Compare(o Bound) int {
	return cmp.Or(cmp.Compare(b.Bucket, o.Bucket), cmp.Compare(b.Digest.Hi, o.Digest.Hi), cmp.Compare(b.Digest.Lo, o.Digest.Lo))
}

// Less reports whether b lies before o.
func (b Bound) Less(o Bound) bool { return b.Compare(o) < 0 }

// Range is what lies from From on and before To. It is empty unless From is
// less than To.
type Range struct{ From, To Bound }

// Holds reports whether r lies in the range.
func (g Range) Holds(r Record) bool {
	at := PlaceOf(r)
	return !at.Less(g.From) && at.Less(g.To)
}

// Sum is a digest of a set of records: the sum modulo 2^128 of a keyed
// pseudo-random function of each (AdHash; Bellare and Micciancio, "A New
// Paradigm for Collision-Free Hashing", 1997). It depends on what the records
// are and not on the order in which they came. Equal sets have equal sums;
// different ones do with a probability of 2^-128, unless somebody who holds the
// cluster's key has chosen them.
type Sum struct {
	Hi, Lo uint64
	Count  uint64 // how many records
}

// Plus returns the sum of two disjoint sets.
func (s Sum) Plus(t Sum) Sum {
	lo, carry := bits.Add64(s.Lo, t.Lo, 0)
	hi, _ := bits.Add64(s.Hi, t.Hi, carry)
	return Sum{hi, lo, s.Count + t.Count}
}

// Minus returns the sum of s without t, a part of it.
func (s Sum) Minus(t Sum) Sum {
	lo, borrow := bits.Sub64(s.Lo, t.Lo, 0)
	hi, _ := bits.Sub64(s.Hi, t.Hi, borrow)
	return Sum{hi, lo, s.Count - t.Count}
}

// Part is a range and the sum of what a set holds of it.
type Part struct {
	Range Range
	Sum   Sum
}
