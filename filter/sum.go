package filter

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"time"
	"unsafe"

	"rescind"
)

// BucketWidth is the span of expiry times that share a bucket.
const BucketWidth = 10 * time.Minute

// Bucket numbers a span of BucketWidth, counted from the Unix epoch.
type Bucket int64

// BucketOf returns the bucket of records that expire at t.
func BucketOf(t rescind.Millis) Bucket { return Bucket(t) / Bucket(BucketWidth.Milliseconds()) }

// Start returns the earliest expiry in b.
func (b Bucket) Start() rescind.Millis {
	return rescind.Millis(b) * rescind.Millis(BucketWidth.Milliseconds())
}

// Sum is a digest of a set of records: the sum modulo 2^128 of a keyed
// pseudo-random function of each (AdHash; Bellare and Micciancio, "A New
// Paradigm for Collision-Free Hashing", 1997). It depends on what the records
// are and not on the order in which they came, and it follows each that comes
// or goes. Equal sets have equal sums; different ones do with a probability of
// 2^-128, unless somebody who holds the cluster's key has chosen them.
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

// minus returns the sum of s without t, a part of it.
func (s Sum) minus(t Sum) Sum {
	lo, borrow := bits.Sub64(s.Lo, t.Lo, 0)
	hi, _ := bits.Sub64(s.Hi, t.Hi, borrow)
	return Sum{hi, lo, s.Count - t.Count}
}

// sumOf returns the sum of one record.
func (p *prf) sumOf(r rescind.Record) Sum {
	var b [rescind.RecordSize]byte
	binary.LittleEndian.PutUint64(b[0:], r.Digest.Hi)
	binary.LittleEndian.PutUint64(b[8:], r.Digest.Lo)
	binary.LittleEndian.PutUint64(b[16:], uint64(r.IssuedBefore))
	binary.LittleEndian.PutUint64(b[24:], uint64(r.ExpiresAt))
	hash := p.one(&p.start, unsafe.String(&b[0], len(b)))
	return Sum{hash.hi, hash.lo, 1}
}

// sums holds the sum of each bucket of one shard that is not empty.
type sums map[Bucket]Sum

func (s sums) add(p *prf, r rescind.Record) {
	b := BucketOf(r.ExpiresAt)
	s[b] = s[b].Plus(p.sumOf(r))
}

func (s sums) remove(p *prf, r rescind.Record) {
	b := BucketOf(r.ExpiresAt)
	if left := s[b].minus(p.sumOf(r)); left.Count > 0 {
		s[b] = left
	} else {
		delete(s, b)
	}
}

// BucketSum is the sum of the records of one bucket.
type BucketSum struct {
	Bucket Bucket
	Sum    Sum
}

// Sums returns the sums of all buckets from one on that are not empty, in
// order. Two nodes that hold the same records agree on every bucket from which
// neither has swept any: those that start after now plus the largest
// difference of their clocks, less rescind.RetentionMargin.
func (s *Set) Sums(from Bucket) []BucketSum {
	total := sums{}
	for i := range s.writers {
		w := &s.writers[i]
		w.mu.Lock()
		for b, sum := range w.sums {
			if b >= from {
				total[b] = total[b].Plus(sum)
			}
		}
		w.mu.Unlock()
	}
	list := make([]BucketSum, 0, len(total))
	for b, sum := range total {
		list = append(list, BucketSum{b, sum})
	}
	slices.SortFunc(list, func(a, b BucketSum) int { return int(a.Bucket - b.Bucket) })
	return list
}

// Prefixes returns the sums of one bucket by the first byte of the digest.
func (s *Set) Prefixes(b Bucket) *[numShards]Sum {
	var p [numShards]Sum
	for i := range s.writers {
		w := &s.writers[i]
		w.mu.Lock()
		p[i] = w.sums[b]
		w.mu.Unlock()
	}
	return &p
}
