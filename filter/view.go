package filter

import (
	"iter"
	"math"

	"rescind"
)

// view is what readers see of one shard's records. A writer inserts beside
// them; nothing in a view ever moves or is forgotten, a rebuild makes a new
// one.
type view struct{ narrow, wide table }

const (
	// growth is how much larger than the last the next view of a shard is. The
	// sizes of shard n are n/256 of a step ahead of shard 0, so that not all
	// shards grow at once, and memory follows the number of records evenly.
	growth = 1.25

	minRoom = 8
)

// room returns how many records a table of the given shard is made for when it
// must hold n.
func room(shard uint64, n int) int {
	if n == 0 {
		return 0
	}
	phase := float64(shard) / numShards
	step := math.Ceil(math.Log(float64(n)/minRoom)/math.Log(growth) - phase)
	return max(n, int(minRoom*math.Pow(growth, max(step, 0)+phase)))
}

// emptyView is the view of every shard that holds nothing.
var emptyView = new(view)

// newView returns a view of records.
func newView(shard uint64, records iter.Seq[rescind.Record]) *view {
	narrow, wide := 0, 0
	for r := range records {
		if isNarrow(r) {
			narrow++
		} else {
			wide++
		}
	}
	if narrow+wide == 0 {
		return emptyView
	}
	narrow, wide = room(shard, narrow), room(shard, wide)
	for spill := minSpill; ; spill *= 2 {
		v := &view{narrow: newNarrow(narrow, spill), wide: newWide(wide, spill)}
		if v.insertAll(records) {
			return v
		} // else the last slots are crowded: by chance, or by somebody who knows the key
	}
}

// find returns where d is.
func (v *view) find(d rescind.Digest) (*table, int, bool) {
	if i, ok := v.narrow.find(d); ok {
		return &v.narrow, i, true
	}
	i, ok := v.wide.find(d)
	return &v.wide, i, ok
}

// insert adds a record that v does not hold. It reports false if v must be
// rebuilt for it.
func (v *view) insert(r rescind.Record) bool {
	t := &v.wide
	if isNarrow(r) {
		t = &v.narrow
	}
	return t.insert(r)
}

func (v *view) insertAll(records iter.Seq[rescind.Record]) bool {
	for r := range records {
		if !v.insert(r) {
			return false
		}
	}
	return true
}

// all yields the records, those of each table nearly in the order of their
// digests. Only the writer may call it.
func (v *view) all(shard uint64) iter.Seq[rescind.Record] {
	return func(yield func(rescind.Record) bool) {
		for r := range v.narrow.all(shard) {
			if !yield(r) {
				return
			}
		}
		v.wide.all(shard)(yield)
	}
}

// with returns a view of what v holds and r, which replaces the record of the
// same digest.
func (v *view) with(shard uint64, r rescind.Record) *view {
	return newView(shard, func(yield func(rescind.Record) bool) {
		for old := range v.all(shard) {
			if old.Digest != r.Digest && !yield(old) {
				return
			}
		}
		yield(r)
	})
}

// without returns a view without the records that are to be forgotten, and calls
// forgotten for each of them. What forget says does not go back.
func (v *view) without(shard uint64, forget func(rescind.Record) bool, forgotten func(rescind.Record)) *view {
	var gone []rescind.Digest // not asked twice: more may be to be forgotten by then
	for r := range v.all(shard) {
		if forget(r) {
			gone = append(gone, r.Digest)
			forgotten(r)
		}
	}
	if len(gone) == 0 {
		return v
	}
	return newView(shard, func(yield func(rescind.Record) bool) {
		left := gone
		for r := range v.all(shard) { // in the same order
			if len(left) > 0 && r.Digest == left[0] {
				left = left[1:]
				continue
			}
			if !yield(r) {
				return
			}
		}
	})
}

// bytes returns the memory of v.
func (v *view) bytes() int { return v.narrow.bytes() + v.wide.bytes() }
