package filter

import (
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"slices"

	"rescind"
)

// SumRange returns the sum of the records in g. It costs a look at each shard's
// sums of the buckets in between; at most two shards, those in which g begins
// and ends, are read record by record, as far as they lie in g. Each shard is
// locked on its own, so records that come or go meanwhile may be counted or not.
func (s *Set) SumRange(g rescind.Range) (total rescind.Sum) {
	for shard := range uint64(numShards) {
		s.sumShard(shard, g, func(_ rescind.Bucket, sum rescind.Sum) { total = total.Plus(sum) })
	}
	return total
}

// Split divides g into at most n parts, which must be at least 2, that follow
// each other without a gap and hold about equally many records: at the
// boundaries of buckets if several hold any, else of shards, else between
// records. If g holds two records, there are at least two parts, and none holds
// all; if it holds fewer, there may be one.
//
// It reads what SumRange reads, and if all records of g lie in one shard, it
// copies them: 32 bytes each, 1/256 of the set at most if digests are random.
func (s *Set) Split(g rescind.Range, n int) []rescind.Part {
	buckets := sums{}
	for shard := range uint64(numShards) {
		s.sumShard(shard, g, func(b rescind.Bucket, sum rescind.Sum) { buckets[b] = buckets[b].Plus(sum) })
	}
	if len(buckets) != 1 {
		cells := make([]cell, 0, len(buckets))
		for _, b := range slices.Sorted(maps.Keys(buckets)) {
			cells = append(cells, cell{rescind.Bound{Bucket: b}, buckets[b]})
		}
		return group(g, cells, n)
	}
	for b := range buckets {
		return s.splitBucket(g, b, n)
	}
	return nil // not reached
}

// splitBucket is Split where one bucket alone holds records.
func (s *Set) splitBucket(g rescind.Range, b rescind.Bucket, n int) []rescind.Part {
	var cells []cell
	for shard := range uint64(numShards) {
		var sum rescind.Sum
		s.sumShard(shard, g, func(at rescind.Bucket, part rescind.Sum) {
			if at == b {
				sum = sum.Plus(part)
			}
		})
		if sum.Count > 0 {
			cells = append(cells, cell{rescind.Bound{Bucket: b, Digest: rescind.Digest{Hi: shard << shardShift}}, sum})
		}
	}
	if len(cells) != 1 {
		return group(g, cells, n)
	}
	records := s.recordsOfShard(cells[0].from.Digest.Hi>>shardShift, g, nil)
	slices.SortFunc(records, byPlace)
	return s.chunk(g, records, n)
}

// cell is a stretch that group does not divide. It reaches to the next cell.
type cell struct {
	from rescind.Bound
	sum  rescind.Sum
}

// group joins neighbouring cells, none of which is empty, into at most n parts.
// A part ends before the cell that would make it larger than what is its due of
// the rest.
func group(g rescind.Range, cells []cell, n int) []rescind.Part {
	var rest uint64
	for _, c := range cells {
		rest += c.sum.Count
	}
	parts := make([]rescind.Part, 1, n)
	parts[0].Range = g
	for _, c := range cells {
		last := &parts[len(parts)-1]
		due := (rest + uint64(n-len(parts))) / uint64(n-len(parts)+1)
		if last.Sum.Count > 0 && last.Sum.Count+c.sum.Count > due && len(parts) < n {
			rest -= last.Sum.Count
			last.Range.To = c.from
			parts = append(parts, rescind.Part{Range: rescind.Range{From: c.from, To: g.To}})
			last = &parts[len(parts)-1]
		}
		last.Sum = last.Sum.Plus(c.sum)
	}
	return parts
}

// chunk divides records, which are in order, into at most n parts.
func (s *Set) chunk(g rescind.Range, records []rescind.Record, n int) []rescind.Part {
	parts := make([]rescind.Part, 0, n)
	from := g.From
	size := max(1, (len(records)+n-1)/n)
	for first := 0; first == 0 || first < len(records); first += size {
		last := min(first+size, len(records))
		p := rescind.Part{Range: rescind.Range{From: from, To: g.To}}
		if last < len(records) {
			p.Range.To = between(rescind.PlaceOf(records[last-1]), rescind.PlaceOf(records[last]))
		}
		for _, r := range records[first:last] {
			p.Sum = p.Sum.Plus(s.summing.sumOf(r))
		}
		parts, from = append(parts, p), p.Range.To
	}
	return parts
}

// between returns a bound behind low and not behind high, which is greater, with
// as many zero bytes at the end as possible: such bounds are short on the wire.
func between(low, high rescind.Bound) rescind.Bound {
	if low.Bucket != high.Bucket {
		return rescind.Bound{Bucket: high.Bucket}
	}
	var l, h [16]byte
	binary.BigEndian.PutUint64(l[:8], low.Digest.Hi)
	binary.BigEndian.PutUint64(l[8:], low.Digest.Lo)
	binary.BigEndian.PutUint64(h[:8], high.Digest.Hi)
	binary.BigEndian.PutUint64(h[8:], high.Digest.Lo)
	for i := range h {
		if l[i] != h[i] {
			clear(h[i+1:])
			break
		}
	}
	return rescind.Bound{Bucket: high.Bucket, Digest: rescind.DigestOf(h[:])}
}

// RecordsIn returns the records in g in order, or ok false if there are more
// than limit. It reads each shard that holds some of them record by record, as
// far as it lies in g.
func (s *Set) RecordsIn(g rescind.Range, limit int) (records []rescind.Record, ok bool) {
	if s.SumRange(g).Count > uint64(limit) {
		return nil, false
	}
	for shard := range uint64(numShards) {
		records = s.recordsOfShard(shard, g, records)
		if len(records) > limit {
			return nil, false // some came since
		}
	}
	slices.SortFunc(records, byPlace)
	return records, true
}

func byPlace(a, b rescind.Record) int { return rescind.PlaceOf(a).Compare(rescind.PlaceOf(b)) }

// sumShard calls yield with the sums of what one shard holds of g, by bucket, in
// any order and perhaps in more than one piece for a bucket. It holds the lock
// of the shard meanwhile.
func (s *Set) sumShard(shard uint64, g rescind.Range, yield func(rescind.Bucket, rescind.Sum)) {
	w := &s.writers[shard]
	w.mu.Lock()
	defer w.mu.Unlock()
	for b, sum := range w.sums.within(g) {
		whole, some := covers(g, shard, b)
		switch {
		case whole:
			yield(b, sum)
		case some:
			var part rescind.Sum
			for r := range s.views[shard].Load().within(shard, only(g, b)) {
				part = part.Plus(s.summing.sumOf(r))
			}
			if part.Count > 0 {
				yield(b, part)
			}
		}
	}
}

// recordsOfShard appends the records of one shard that lie in g, in any order.
func (s *Set) recordsOfShard(shard uint64, g rescind.Range, records []rescind.Record) []rescind.Record {
	w := &s.writers[shard]
	w.mu.Lock()
	defer w.mu.Unlock()
	for b := range w.sums.within(g) {
		if _, some := covers(g, shard, b); some {
			return slices.AppendSeq(records, s.views[shard].Load().within(shard, g))
		}
	}
	return records
}

// within yields the buckets of one shard that g reaches, in any order.
func (s sums) within(g rescind.Range) iter.Seq2[rescind.Bucket, rescind.Sum] {
	return func(yield func(rescind.Bucket, rescind.Sum) bool) {
		if !g.From.Less(g.To) {
			return
		}
		if uint64(g.To.Bucket)-uint64(g.From.Bucket) >= uint64(len(s)) {
			for b, sum := range s {
				if g.From.Bucket <= b && b <= g.To.Bucket && !yield(b, sum) {
					return
				}
			}
			return
		}
		for b := g.From.Bucket; ; b++ {
			if sum, ok := s[b]; ok && !yield(b, sum) || b == g.To.Bucket {
				return // before the increment, which could wrap round at the last bucket of all
			}
		}
	}
}

// covers reports whether g holds all that a shard may hold of bucket b, and
// whether it may hold some.
func covers(g rescind.Range, shard uint64, b rescind.Bucket) (whole, some bool) {
	first, last := rescind.Digest{Hi: shard << shardShift}, rescind.Digest{Hi: shard<<shardShift | (1<<shardShift - 1), Lo: math.MaxUint64}
	from, to := rescind.Bound{Bucket: b, Digest: first}, rescind.Bound{Bucket: b, Digest: last}
	whole = !from.Less(g.From) && to.Less(g.To)
	return whole, !to.Less(g.From) && from.Less(g.To)
}

// only returns what of g lies in bucket b.
func only(g rescind.Range, b rescind.Bucket) rescind.Range {
	if g.From.Bucket < b {
		g.From = rescind.Bound{Bucket: b}
	}
	if b < g.To.Bucket {
		g.To = rescind.Bound{Bucket: b + 1}
	}
	return g
}

// within yields the records of v that lie in g, in any order. Only the writer
// may call it.
func (v *view) within(shard uint64, g rescind.Range) iter.Seq[rescind.Record] {
	return func(yield func(rescind.Record) bool) {
		for r := range v.narrow.within(shard, g) {
			if !yield(r) {
				return
			}
		}
		v.wide.within(shard, g)(yield)
	}
}

// within yields the records of t that lie in g. If g lies in one bucket, it
// reads no further than the digests of g can be.
func (t *table) within(shard uint64, g rescind.Range) iter.Seq[rescind.Record] {
	return func(yield func(rescind.Record) bool) {
		if len(t.keys) == 0 {
			return
		}
		first, last := 0, len(t.keys)
		oneBucket := g == only(g, g.From.Bucket)
		if oneBucket && g.From.Digest.Hi>>shardShift == shard {
			first = t.home(g.From.Digest.Hi) // a record lies at home or behind
		}
		if oneBucket && g.From.Bucket == g.To.Bucket && g.To.Digest.Hi>>shardShift == shard {
			last = t.home(g.To.Digest.Hi)
		}
		for i := first; i < len(t.keys) && (i <= last || t.keys[i].low != 0); i++ { // what has been pushed behind last follows without a gap
			if t.keys[i].low == 0 {
				continue
			}
			if r := t.record(shard, i); g.Holds(r) && !yield(r) {
				return
			}
		}
	}
}
