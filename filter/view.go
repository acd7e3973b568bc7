package filter

import (
	"iter"
	"math/bits"
	"sync/atomic"

	"github.com/bits-and-blooms/bloom/v3"

	"rescind"
)

const (
	// targetFalsePositives sizes the Bloom filter. The bits of one record share
	// a 64-byte block, which about doubles the textbook rate that
	// bloom.EstimateParameters computes with, to one in a thousand.
	targetFalsePositives = 0.0005

	blockWords = 8 // 64 bytes, one cache line; a record sets one bit in each word
	blockBits  = blockWords * 64

	minCapacity = 8
)

// view is one shard's Bloom filter and exact table, sized for each other.
// Readers use it while one writer inserts; neither the table nor the filter
// ever moves or forgets, a rebuild makes a new view.
//
// The words of both are accessed with atomic operations only. Invariant: a
// slot's hi is written last, and once it is not 0, hi and lo never change and
// the times only grow.
type view struct {
	bloom  *bloom.BloomFilter // holds the memory of words
	words  []uint64           // the bits of bloom
	blocks uint64

	slots []slot // open addressing with linear probing, at most 3/4 full
	used  int    // records in slots; touched by the writer only
	limit int    // how many slots may be used before a rebuild
}

// slot is a record; hi is 0 while it is empty.
type slot struct{ hi, lo, issuedBefore, expiresAt uint64 }

// newView returns an empty view with room for at least n records.
func newView(n int) *view {
	n = max(n, minCapacity)
	m, _ := bloom.EstimateParameters(uint(n), targetFalsePositives)
	blocks := (m + blockBits - 1) / blockBits
	f := bloom.New(blocks*blockBits, blockWords)
	return &view{
		bloom:  f,
		words:  f.BitSet().Words(),
		blocks: uint64(blocks),
		slots:  make([]slot, n+n/3+1),
		limit:  n,
	}
}

// block returns the offset of d's block in words. The first byte of Hi is the
// shard's, hence the shift; the multiplication maps the rest evenly onto any
// number of blocks (Lemire, "Fast Random Integer Generation in an Interval",
// 2019).
func (v *view) block(d rescind.Digest) uint64 {
	b, _ := bits.Mul64(d.Hi<<8, v.blocks)
	return b * blockWords
}

// bit returns the bit that d sets in word i of its block: six bits of Lo above
// the scope.
func bit(d rescind.Digest, i uint64) uint64 { return 1 << (d.Lo >> (3 + 6*i) & 63) }

func (v *view) mayHold(d rescind.Digest) bool {
	at := v.block(d)
	words := v.words[at : at+blockWords]
	for i := range words {
		if atomic.LoadUint64(&words[i])&bit(d, uint64(i)) == 0 {
			return false
		}
	}
	return true
}

func (v *view) home(d rescind.Digest) int {
	i, _ := bits.Mul64(d.Lo, uint64(len(v.slots)))
	return int(i)
}

func (v *view) find(d rescind.Digest) (rescind.Record, bool) {
	for i := v.home(d); ; i = v.after(i) {
		s := &v.slots[i]
		switch atomic.LoadUint64(&s.hi) {
		case 0:
			return rescind.Record{}, false
		case d.Hi:
			if atomic.LoadUint64(&s.lo) == d.Lo {
				return s.record(), true
			}
		}
	}
}

func (v *view) after(i int) int {
	if i++; i == len(v.slots) {
		return 0
	}
	return i
}

// record reads a slot that is not empty. A reader beside raise may see one
// time raised and the other not yet: some state between before and after.
func (s *slot) record() rescind.Record {
	return rescind.Record{
		Digest:       rescind.Digest{Hi: atomic.LoadUint64(&s.hi), Lo: atomic.LoadUint64(&s.lo)},
		IssuedBefore: rescind.Millis(atomic.LoadUint64(&s.issuedBefore)),
		ExpiresAt:    rescind.Millis(atomic.LoadUint64(&s.expiresAt)),
	}
}

func (v *view) full() bool { return v.used >= v.limit }

// insert adds a record whose digest the view does not hold, to a view that is
// not full.
func (v *view) insert(r rescind.Record) {
	i := v.home(r.Digest)
	for atomic.LoadUint64(&v.slots[i].hi) != 0 {
		i = v.after(i)
	}
	at := v.block(r.Digest)
	for w := uint64(0); w < blockWords; w++ {
		atomic.OrUint64(&v.words[at+w], bit(r.Digest, w))
	}
	s := &v.slots[i]
	atomic.StoreUint64(&s.lo, r.Digest.Lo)
	atomic.StoreUint64(&s.issuedBefore, uint64(r.IssuedBefore))
	atomic.StoreUint64(&s.expiresAt, uint64(r.ExpiresAt))
	atomic.StoreUint64(&s.hi, r.Digest.Hi) // publishes the slot
	v.used++
}

// raise overwrites the times of a record that the view holds. The expiry goes
// first, so that no reader sees a wider cover with a shorter life.
func (v *view) raise(r rescind.Record) {
	for i := v.home(r.Digest); ; i = v.after(i) {
		s := &v.slots[i]
		if atomic.LoadUint64(&s.hi) == r.Digest.Hi && atomic.LoadUint64(&s.lo) == r.Digest.Lo {
			atomic.StoreUint64(&s.expiresAt, uint64(r.ExpiresAt))
			atomic.StoreUint64(&s.issuedBefore, uint64(r.IssuedBefore))
			return
		}
	}
}

// rebuilt returns a view of the records that keep selects, of which there are
// n, with room to grow by half.
func (v *view) rebuilt(keep func(rescind.Record) bool, n int) *view {
	fresh := newView(n + n/2)
	for r := range v.all() {
		if keep(r) {
			fresh.insert(r)
		}
	}
	return fresh
}

// all yields the records in no particular order.
func (v *view) all() iter.Seq[rescind.Record] {
	return func(yield func(rescind.Record) bool) {
		for i := range v.slots {
			if s := &v.slots[i]; atomic.LoadUint64(&s.hi) != 0 && !yield(s.record()) {
				return
			}
		}
	}
}
