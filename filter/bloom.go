package filter

import (
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/bits-and-blooms/bloom/v3"

	"rescind"
)

const (
	// designRate is what a filter is sized for: of this share of absent
	// identifiers it says "maybe" when it holds as many as it was made for. A
	// lower rate needs a larger filter, which misses the processor's caches more
	// often, and that costs more than the few look-ups it spares.
	//
	// bloom.EstimateParameters computes for bits that are spread over the whole
	// filter; those of one record share a block, which costs a factor of three,
	// so it is asked for a third: 13 bits a record.
	designRate = 0.006

	// maxFill is the share of bits that may be set. A filter that holds what it
	// was made for has 0.265 set; with 0.315 its rate would have doubled. Only
	// digests that somebody has chosen who knows the key can come here first.
	maxFill = 0.29

	blockWords = 4 // 32 bytes, never in two cache lines; a record sets one bit in each word
	blockBits  = blockWords * 64
)

// blocked is a blocked Bloom filter (Putze, Sanders and Singler, "Cache-,
// Hash- and Space-Efficient Bloom Filters", 2007): all bits of a record are in
// one cache line. Its words are accessed with atomic operations only, and their
// bits are never cleared, so readers and writers need nothing else.
type blocked struct {
	blocks []block
	bloom  *bloom.BloomFilter // holds the memory of blocks
	limit  int                // how many records it is made for

	_     [64]byte     // what writers change is not in the line that readers read
	added atomic.Int64 // records, those that are gone included
	ones  atomic.Int64 // bits that are set; one that two writers set at once may count twice
}

type block [blockWords]uint64

// newBlocked returns an empty filter for n records.
func newBlocked(n int) *blocked {
	m, _ := bloom.EstimateParameters(uint(n), designRate/3)
	f := bloom.New((m+blockBits-1)/blockBits*blockBits, blockWords)
	words := f.BitSet().Words()
	return &blocked{
		blocks: unsafe.Slice((*block)(unsafe.Pointer(unsafe.SliceData(words))), len(words)/blockWords),
		bloom:  f,
		limit:  n,
	}
}

// at returns the block of a digest. The first bits of its hash map evenly onto
// any number of blocks (Lemire, "Fast Random Integer Generation in an
// Interval", 2019).
func (f *blocked) at(hi uint64) *block {
	i, _ := bits.Mul64(hi, uint64(len(f.blocks))) // less than len(f.blocks), which the compiler doesn't see
	return (*block)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.blocks)), i*(blockBits/8)))
}

// mayHold returns 1 if a digest with this hash may have been added, else 0. It
// looks at all words: where it would stop at the first bit that is not set,
// the processor could not guess.
func (f *blocked) mayHold(h uint128) uint64 {
	b := f.at(h.hi)
	return b.probe(0, h.lo) & b.probe(1, h.lo) & b.probe(2, h.lo) & b.probe(3, h.lo) & 1
}

// mayHoldEach is mayHold for several: bit i+1 is the answer for hashes[i].
func (f *blocked) mayHoldEach(hashes []uint128) (maybe uint64) {
	for i := len(hashes) - 1; i >= 0; i-- {
		h := &hashes[i]
		b := f.at(h.hi)
		maybe = maybe<<1 | b.probe(0, h.lo)&b.probe(1, h.lo)&b.probe(2, h.lo)&b.probe(3, h.lo)&1
	}
	return maybe << 1
}

// probe returns word i with the bit in the lowest place that lo, the second
// half of a hash, selects there.
func (b *block) probe(i int, lo uint64) uint64 {
	return atomic.LoadUint64(&b[i]) >> selected(i, lo)
}

// selected returns which bit of word i lo selects. It reads the top 24 bits,
// since the lowest in a digest are the scope.
func selected(i int, lo uint64) uint64 { return lo >> (58 - 6*i) & 63 }

func (f *blocked) add(d rescind.Digest) {
	b := f.at(d.Hi)
	fresh := int64(0)
	for i := range b {
		bit := uint64(1) << selected(i, d.Lo)
		if atomic.LoadUint64(&b[i])&bit == 0 {
			atomic.OrUint64(&b[i], bit)
			fresh++
		}
	}
	f.added.Add(1)
	f.ones.Add(fresh)
}

// full reports whether more records, or these bits, would make it say "maybe"
// too often.
func (f *blocked) full() bool {
	return f.added.Load() >= int64(f.limit) || f.fill() > maxFill
}

// bytes returns the memory of f.
func (f *blocked) bytes() int { return blockBits / 8 * len(f.blocks) }

// fill returns the share of bits that are set.
func (f *blocked) fill() float64 {
	return float64(f.ones.Load()) / float64(blockBits*len(f.blocks))
}
