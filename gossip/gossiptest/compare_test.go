package gossiptest

import (
	"testing"
	"time"

	"rescind"
)

// compareSets has two nodes hold the given records beside many that both hold,
// lets them compare until both hold the same, and returns the bytes sent for it.
func compareSets(t *testing.T, first, second []rescind.Record) (bytes int) {
	t.Helper()
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	s := newScenario(t, 2)
	for i := range n {
		r := rescind.Record{
			Digest:       rescind.MakeDigest(rescind.ScopeJTI, s.rng.Uint64(), s.rng.Uint64()),
			IssuedBefore: rescind.Ever,
			ExpiresAt:    dawn.Add(time.Hour + time.Duration(i%(30*24*3600))*time.Second),
		}
		for _, n := range s.nodes {
			n.set.Merge(r)
		}
	}
	for i, records := range [][]rescind.Record{first, second} {
		for _, r := range records {
			s.nodes[i].set.Merge(r)
		}
	}
	for end := s.now + 30*time.Second; s.now < end; {
		if err := s.turn(); err != nil {
			t.Fatal(err)
		}
		if s.now%time.Second == 0 && s.equal() == nil && s.nodes[0].core.CompareStats().Equal > 0 {
			return s.compared
		}
	}
	t.Fatal("the two never hold the same")
	return 0
}

func extra(i uint64, hi uint64) rescind.Record {
	return rescind.Record{
		Digest:       rescind.MakeDigest(rescind.ScopeSID, hi, i<<8),
		IssuedBefore: rescind.Ever,
		ExpiresAt:    dawn.Add(90 * time.Minute),
	}
}

func TestComparisonOfEqualSetsIsCheap(t *testing.T) {
	if bytes := compareSets(t, nil, nil); bytes > 300 {
		t.Errorf("%d bytes for at most two rounds", bytes)
	}
}

func TestComparisonFindsOneDifference(t *testing.T) {
	bytes := compareSets(t, []rescind.Record{extra(1, 1<<63)}, nil)
	t.Logf("%d bytes", bytes)
	if bytes > 16<<10 {
		t.Errorf("%d bytes for one record", bytes)
	}
}

// TestComparisonFindsNeighbours: 100 records that differ, close to each other.
func TestComparisonFindsNeighbours(t *testing.T) {
	var first, second []rescind.Record
	for i := range uint64(50) {
		first = append(first, extra(i, 1<<63+i))
		second = append(second, extra(100+i, 1<<63+i))
	}
	bytes := compareSets(t, first, second)
	t.Logf("%d bytes", bytes)
	if bytes > 64<<10 {
		t.Errorf("%d bytes for 100 records", bytes)
	}
}

// TestComparisonFindsTwoAnswers: the same revocation with other times on either
// side ends as the join of both.
func TestComparisonFindsTwoAnswers(t *testing.T) {
	older, newer := extra(1, 1<<63), extra(1, 1<<63)
	older.IssuedBefore, newer.IssuedBefore = dawn, dawn+1
	older.ExpiresAt += 5000
	if bytes := compareSets(t, []rescind.Record{older}, []rescind.Record{newer}); bytes > 16<<10 {
		t.Errorf("%d bytes for one record", bytes)
	}
}
