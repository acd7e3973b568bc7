package gossip

import (
	"cmp"
	"slices"

	"rescind"
)

// Bounds of one step of a comparison.
const (
	fanOut    = 16   // parts that a range is divided into
	leafSize  = 32   // records that are listed rather than divided
	maxParts  = 256  // in a step
	maxListed = 2048 // records in a step
)

// RangeSet is what a comparison needs of a set of records; *filter.Set has it.
type RangeSet interface {
	// SumRange returns the sum of the records in a range.
	SumRange(rescind.Range) rescind.Sum

	// Split divides a range into at most n parts that follow each other
	// without a gap. If it holds two records or more, no part holds all.
	Split(g rescind.Range, n int) []rescind.Part

	// RecordsIn returns the records in a range in order, or false if there are
	// more than limit.
	RecordsIn(g rescind.Range, limit int) ([]rescind.Record, bool)
}

// Outcome is what a step of a comparison has found. It belongs to Core.Compared.
type Outcome struct {
	reply            []Part
	cut              bool // there was no room for all
	lacking, surplus []rescind.Record
	listed           int
	most             int    // of records, and of parts, in reply; the first part finds room in any case
	short            uint64 // how many records the other has more, at least
}

// Against takes the step: it holds what the member said against the set. The
// first step of a round tells the sum of all that no node sweeps within
// CompareSpan, from a bucket on that rescind.FirstUnswept yields. It reads the
// set and nothing else, so it may run on any goroutine while the core goes on.
func (c Comparison) Against(set RangeSet, from rescind.Bucket) Outcome {
	o := Outcome{most: cmp.Or(c.most, maxRecords)}
	if c.parts == nil {
		if c.whole {
			from-- // it holds records that are needed, beside those that may be gone
		}
		g := rescind.Range{From: rescind.Bound{Bucket: from}, To: rescind.End}
		o.add(Part{Part: rescind.Part{Range: g, Sum: set.SumRange(g)}})
		return o
	}
	// Where there is no room for all, each round begins with another part, so that it
	// finds what the one before has left.
	first := int(c.round % uint64(max(1, len(c.parts))))
	for i := range c.parts {
		if p := c.parts[(first+i)%len(c.parts)]; p.Listed {
			o.differences(set, p)
		} else {
			o.narrow(set, p.Part)
		}
	}
	slices.SortFunc(o.reply, func(p, q Part) int { return p.Range.From.Compare(q.Range.From) })
	return o
}

// narrow answers the sum of a range.
func (o *Outcome) narrow(set RangeSet, theirs rescind.Part) {
	mine := set.SumRange(theirs.Range)
	if mine == theirs.Sum {
		return
	}
	if theirs.Sum.Count > mine.Count {
		o.short += theirs.Sum.Count - mine.Count
	}
	switch {
	case mine.Count > leafSize:
		o.divide(set, theirs.Range)
	case theirs.Sum.Count > leafSize || mine.Count == 0:
		o.add(Part{Part: rescind.Part{Range: theirs.Range, Sum: mine}}) // it is theirs to divide, or to list
	default:
		o.list(set, theirs.Range)
	}
}

func (o *Outcome) divide(set RangeSet, g rescind.Range) {
	for _, p := range set.Split(g, fanOut) {
		o.add(Part{Part: p})
	}
}

func (o *Outcome) list(set RangeSet, g rescind.Range) {
	records, ok := set.RecordsIn(g, leafSize)
	if !ok { // some came since they were counted
		o.divide(set, g)
		return
	}
	o.add(Part{Part: rescind.Part{Range: g}, Listed: true, Records: records})
}

func (o *Outcome) add(p Part) {
	if len(o.reply) >= min(maxParts, o.most) || o.listed+len(p.Records) > min(maxListed, o.most) && len(o.reply) > 0 {
		o.cut = true
		return
	}
	o.reply = append(o.reply, p)
	o.listed += len(p.Records)
}

// differences holds all that a member has of a small range against the set.
func (o *Outcome) differences(set RangeSet, theirs Part) {
	mine, ok := set.RecordsIn(theirs.Range, 4*leafSize)
	if !ok {
		o.divide(set, theirs.Range)
		return
	}
	held := make(map[rescind.Digest]rescind.Record, len(mine))
	for _, r := range mine {
		held[r.Digest] = r
	}
	for _, t := range theirs.Records {
		r, ok := held[t.Digest]
		delete(held, t.Digest)
		joined := r.Join(t)
		if !ok || joined != r {
			o.lacking = append(o.lacking, t)
		}
		if ok && joined != t {
			o.surplus = append(o.surplus, joined)
		}
	}
	for _, r := range mine {
		if _, ok := held[r.Digest]; ok {
			o.surplus = append(o.surplus, r)
		}
	}
}
