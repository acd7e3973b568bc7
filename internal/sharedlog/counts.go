package sharedlog

import (
	"maps"
	"slices"
)

// counts is how many messages of records are in the stream, by bucket: of one
// origin, each once however often somebody repeats it.
type counts map[uint64]count

type count struct {
	messages uint64
	last     uint64 // the highest number among them
}

// add counts message number of a bucket. An origin writes into one bucket in the
// order of the numbers, so one that is not higher is there already.
func (c counts) add(bucket, number uint64) {
	if n := c[bucket]; number > n.last {
		c[bucket] = count{n.messages + 1, number}
	}
}

// forget drops the buckets that have lapsed.
func (c counts) forget(lapsed func(bucket uint64) bool) {
	maps.DeleteFunc(c, func(bucket uint64, _ count) bool { return lapsed(bucket) })
}

// tallies returns what a mark says of c.
func (c counts) tallies() (written []tally) {
	for _, bucket := range slices.Sorted(maps.Keys(c)) {
		n := c[bucket].messages
		if len(written) == maxTallies {
			written[maxTallies-1].messages += n
			continue
		}
		written = append(written, tally{bucket, n})
	}
	return written
}

// cover reports whether c has all that a mark says was written and has not
// lapsed.
func (c counts) cover(written []tally, lapsed func(bucket uint64) bool) bool {
	for i, t := range written {
		if lapsed(t.bucket) {
			continue
		}
		have := c[t.bucket].messages
		if i == maxTallies-1 { // it stands for all later ones, too
			for bucket, n := range c {
				if bucket > t.bucket {
					have += n.messages
				}
			}
		}
		if have < t.messages {
			return false
		}
	}
	return true
}
