package filter

import (
	"maps"

	"rescind"
)

// Audit counts the sums of one shard anew from its records and reports whether
// they are what was kept; if not, memory has failed or the code is wrong, and
// from now on the sums say what is really there, so that a comparison with
// another set shows what is missing. turn selects the shard, as for Sweep.
func (s *Set) Audit(turn uint64) bool {
	shard := turn % numShards
	w := &s.writers[shard]
	w.mu.Lock()
	defer w.mu.Unlock()
	found := sums{}
	for r := range s.views[shard].Load().within(shard, rescind.Range{To: rescind.End}) {
		found.add(s.summing, r)
	}
	if maps.Equal(found, w.sums) {
		return true
	}
	w.sums = found
	return false
}
