package filter

import (
	"iter"
	"math/bits"
	"sync/atomic"

	"rescind"
)

// table holds the records of one shard exactly: a hash table with open
// addressing and linear probing, at most 7/8 full. The place that a record
// prefers grows with its digest, so that the table is nearly sorted, a rebuild
// reads and writes memory in order, and a scan can start anywhere.
//
// It is stored as columns. Most records revoke one token or session for good:
// IssuedBefore is Ever. A narrow table holds only such, in 20 bytes each: the
// first byte of the digest is the shard's and makes room for the top of the
// expiry. A wide table holds any record, in 32.
//
// One writer at a time; readers of find need no lock. Invariant: low is
// written last, and once it is not 0, the digest in its slot never changes and
// issuedBefore only grows.
type table struct {
	keys []slot

	soon []uint32 // narrow: the lower bits of the expiry, in ms since narrowFrom

	issuedBefore []uint64 // wide
	expiresAt    []uint64 // wide

	used, limit int
	spill       int // slots after the last preferred one, so that no search wraps around
}

// slot holds a digest, if it is not empty.
type slot struct {
	low  uint64 // Digest.Lo, which is never 0: it holds the scope; 0 is an empty slot
	high uint64 // Digest.Hi without its first byte, then, in a narrow table, bits 32 to 39 of the expiry
}

const (
	narrowFrom = rescind.Millis(1_577_836_800_000) // 2020-01-01
	narrowSpan = 1 << 40                           // 34 years

	minSpill = 32
)

// isNarrow reports whether a narrow table can hold r.
func isNarrow(r rescind.Record) bool {
	return r.IssuedBefore == rescind.Ever && r.ExpiresAt >= narrowFrom && r.ExpiresAt < narrowFrom+narrowSpan
}

func newNarrow(n, spill int) table {
	t := newTable(n, spill)
	t.soon = make([]uint32, len(t.keys))
	return t
}

func newWide(n, spill int) table {
	t := newTable(n, spill)
	t.issuedBefore, t.expiresAt = make([]uint64, len(t.keys)), make([]uint64, len(t.keys))
	return t
}

// newTable returns a table for n records, or one without memory for none.
func newTable(n, spill int) table {
	if n == 0 {
		return table{}
	}
	return table{keys: make([]slot, n+n/7+1+spill), limit: n, spill: spill}
}

// home returns the slot that a record prefers.
func (t *table) home(hi uint64) int {
	i, _ := bits.Mul64(hi<<shardBits, uint64(len(t.keys)-t.spill))
	return int(i)
}

// find returns the slot of d.
func (t *table) find(d rescind.Digest) (int, bool) {
	if len(t.keys) == 0 {
		return 0, false
	}
	for i := t.home(d.Hi); i < len(t.keys); i++ {
		switch atomic.LoadUint64(&t.keys[i].low) {
		case 0:
			return 0, false
		case d.Lo:
			if (atomic.LoadUint64(&t.keys[i].high)^d.Hi<<shardBits)>>shardBits == 0 {
				return i, true
			}
		}
	}
	return 0, false
}

// covers reports whether the record in slot i covers a token issued at
// issuedAt.
func (t *table) covers(i int, issuedAt rescind.Millis) bool {
	return t.soon != nil || issuedAt <= rescind.Millis(atomic.LoadUint64(&t.issuedBefore[i]))
}

// insert adds a record that the table may hold but does not. It reports false
// if there is no room where the record must go.
func (t *table) insert(r rescind.Record) bool {
	if t.used >= t.limit {
		return false
	}
	for i := t.home(r.Digest.Hi); i < len(t.keys); i++ {
		if t.keys[i].low == 0 {
			t.store(i, r)
			atomic.StoreUint64(&t.keys[i].low, r.Digest.Lo) // publishes the slot
			t.used++
			return true
		}
	}
	return false
}

// store writes all of r but Digest.Lo into slot i. The table must be able to
// hold it.
func (t *table) store(i int, r rescind.Record) {
	high := r.Digest.Hi << shardBits
	if t.soon != nil {
		e := uint64(r.ExpiresAt - narrowFrom)
		t.soon[i], high = uint32(e), high|e>>32
	} else {
		t.expiresAt[i] = uint64(r.ExpiresAt)
		atomic.StoreUint64(&t.issuedBefore[i], uint64(r.IssuedBefore))
	}
	atomic.StoreUint64(&t.keys[i].high, high)
}

// record returns what slot i, which is not empty, holds in a table of the
// given shard. Only the writer may call it.
func (t *table) record(shard uint64, i int) rescind.Record {
	r := rescind.Record{
		Digest:       rescind.Digest{Hi: shard<<shardShift | t.keys[i].high>>shardBits, Lo: t.keys[i].low},
		IssuedBefore: rescind.Ever,
	}
	if t.soon == nil {
		r.IssuedBefore, r.ExpiresAt = rescind.Millis(t.issuedBefore[i]), rescind.Millis(t.expiresAt[i])
	} else {
		r.ExpiresAt = narrowFrom + rescind.Millis(t.keys[i].high&(1<<shardBits-1)<<32|uint64(t.soon[i]))
	}
	return r
}

// all yields the records, nearly in the order of their digests. Only the
// writer may call it.
func (t *table) all(shard uint64) iter.Seq[rescind.Record] {
	return func(yield func(rescind.Record) bool) {
		for i := range t.keys {
			if t.keys[i].low != 0 && !yield(t.record(shard, i)) {
				return
			}
		}
	}
}

// addTo adds the records to a filter. Only the writer may call it.
func (t *table) addTo(shard uint64, f *blocked) {
	for i := range t.keys {
		if k := &t.keys[i]; k.low != 0 {
			f.add(rescind.Digest{Hi: shard<<shardShift | k.high>>shardBits, Lo: k.low})
		}
	}
}

// bytes returns the memory of the table.
func (t *table) bytes() int {
	return 16*len(t.keys) + 4*len(t.soon) + 8*(len(t.issuedBefore)+len(t.expiresAt))
}
