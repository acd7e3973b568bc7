package filter

import (
	"fmt"
	"testing"
)

// TestAuditFindsAFlippedBit: after it, the sum is that of what is there.
func TestAuditFindsAFlippedBit(t *testing.T) {
	s, sound := newSet(0), newSet(0)
	for i := range 3000 {
		s.Merge(record(fmt.Sprint(i), 1<<50))
		sound.Merge(record(fmt.Sprint(i), 1<<50))
	}
	audit := func() (unsound int) {
		for turn := range uint64(numShards) {
			if !s.Audit(turn) {
				unsound++
			}
		}
		return unsound
	}
	if n := audit(); n != 0 {
		t.Fatalf("%d shards of a sound set are unsound", n)
	}
	s.flipBit(t)
	if s.SumRange(everything) != sound.SumRange(everything) {
		t.Fatal("the sums follow memory by themselves; then there is no need for an audit")
	}
	if n := audit(); n != 1 {
		t.Fatalf("%d shards are unsound, want 1", n)
	}
	if s.SumRange(everything) == sound.SumRange(everything) {
		t.Error("the sum is still that of what was put in")
	}
	if n := audit(); n != 0 {
		t.Errorf("%d shards are found unsound again", n)
	}
}

// flipBit flips a bit of the digest of some record.
func (s *Set) flipBit(t *testing.T) {
	for i := range s.views {
		for _, table := range []*table{&s.views[i].Load().narrow, &s.views[i].Load().wide} {
			for j := range table.keys {
				if table.keys[j].low != 0 {
					table.keys[j].low ^= 1 << 40
					return
				}
			}
		}
	}
	t.Fatal("the set is empty")
}
