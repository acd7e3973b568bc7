package filter

import (
	"math/bits"

	"rescind"
)

// Scan returns records from a cursor on, and the cursor to go on from; done
// means that there are no more. Cursors go by the first byte of the digest and
// then by its second half: any set understands those of another one. There are
// at most limit records, unless more share one second half. The zero digest is
// the first cursor. A record that is added during a series of scans may be
// missed by it; one that was held from the first to the last scan is not. Each scan
// begins with the withdrawals: what they replace may be dropped between two scans, and
// they themselves may have come to a place that was scanned before.
//
// The order is not that of digests, because the place of a record in a table is:
// whoever fills an empty set with records in that order fills one end of a table
// first, and looks at all that is there for each that comes.
func (s *Set) Scan(from rescind.Digest, limit int) (records []rescind.Record, next rescind.Digest, done bool) {
	withdrawals := s.Withdrawals()
	records, limit = withdrawals, max(limit-len(withdrawals), (limit+1)/2)
	lo := from.Lo
	for shard := from.Hi >> shardShift; shard < numShards; shard, lo = shard+1, 0 {
		part, upTo, whole := s.scanShard(shard, lo, limit-(len(records)-len(withdrawals)), len(records) == len(withdrawals))
		records = append(records, part...)
		if !whole {
			return records, rescind.Digest{Hi: shard << shardShift, Lo: upTo}, false
		}
	}
	return records, rescind.Digest{}, true
}

// scanShard returns the records of one shard with second halves from one on: the
// whole rest, if that is at most limit, else, if a part will do, those before
// upTo.
func (s *Set) scanShard(shard, from uint64, limit int, partly bool) (records []rescind.Record, upTo uint64, whole bool) {
	w := &s.writers[shard]
	w.mu.Lock()
	defer w.mu.Unlock()
	v := s.views[shard].Load()
	rest, last := 0, uint64(0)
	for r := range v.all(shard) {
		if r.Digest.Lo >= from {
			rest, last = rest+1, max(last, r.Digest.Lo)
		}
	}
	if rest <= limit {
		return v.before(shard, from, last, rest, nil), 0, true
	}
	if !partly {
		return nil, from, false
	}
	// Second halves are random, so the first guess is nearly always right. If
	// they are not, this looks for a bound: none is before empty, too many are
	// up to full.
	empty, full := from, last
	to := from + share(last-from, limit, rest)
	for {
		records = v.before(shard, from, to, limit+1, records[:0])
		switch {
		case len(records) > limit && to > empty:
			full = to
		case len(records) == 0 && to < full:
			empty = to + 1
		case len(records) > limit: // they all share one second half
			return v.before(shard, from, to, rest, records[:0]), to + 1, false
		default:
			return records, to + 1, false
		}
		to = empty + (full-empty)/2
	}
}

// before appends the records with second halves from one to another, at most
// limit of them.
func (v *view) before(shard, from, to uint64, limit int, records []rescind.Record) []rescind.Record {
	for r := range v.all(shard) {
		if r.Digest.Lo >= from && r.Digest.Lo <= to && len(records) < limit {
			records = append(records, r)
		}
	}
	return records
}

// share returns a little less than limit/of of a width.
func share(width uint64, limit, of int) uint64 {
	hi, lo := bits.Mul64(width, uint64(limit)*9/10)
	part, _ := bits.Div64(hi, lo, uint64(of))
	return part
}
