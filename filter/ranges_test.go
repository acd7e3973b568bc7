package filter

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rescind"
)

// smallDigests come from few shards and are close to each other, so that ranges
// begin and end within shards and between neighbours.
var smallDigests = rapid.Custom(func(t *rapid.T) rescind.Digest {
	shard := rapid.SampledFrom([]uint64{0, 1, 7, numShards - 1}).Draw(t, "shard")
	rest := rapid.SampledFrom([]uint64{0, 1, 2, 1 << 30, 1 << 50, 1<<shardShift - 1}).Draw(t, "rest")
	lo := rapid.SampledFrom([]uint64{0, 1 << 8, 1 << 40, 1<<64 - 8}).Draw(t, "lo")
	return rescind.MakeDigest(rescind.ScopeJTI, shard<<shardShift|rest, lo|rapid.Uint64Range(0, 40).Draw(t, "id")<<20)
})

var smallBuckets = rapid.SampledFrom([]rescind.Bucket{3_000_000, 3_000_001, 3_000_007, 3_100_000})

var smallBounds = rapid.Custom(func(t *rapid.T) rescind.Bound {
	if rapid.IntRange(0, 9).Draw(t, "end") == 0 {
		// Also what no record lies near: a loop over buckets must not wrap round.
		return rapid.SampledFrom([]rescind.Bound{
			rescind.End, {Bucket: math.MaxInt64 - 1}, {Bucket: math.MaxInt64 - 7}, {Bucket: math.MinInt64}, {Bucket: -1},
			{Bucket: math.MaxInt64, Digest: rescind.Digest{Hi: math.MaxUint64, Lo: math.MaxUint64}},
		}).Draw(t, "far")
	}
	b := rescind.Bound{Bucket: smallBuckets.Draw(t, "bucket") + rapid.SampledFrom([]rescind.Bucket{-1, 0, 0, 0, 1}).Draw(t, "beside")}
	if rapid.Bool().Draw(t, "within") {
		b.Digest = smallDigests.Draw(t, "digest")
	}
	return b
})

// TestRangesModel compares the sums, parts and records of random ranges with
// those of a plain map, while records come, change their bucket, and go.
func TestRangesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSet(0)
		model := map[rescind.Digest]rescind.Record{}
		now := smallBucketsStart - 1e9
		inModel := func(g rescind.Range) (records []rescind.Record, sum rescind.Sum) {
			for _, r := range model {
				if at := rescind.PlaceOf(r); !at.Less(g.From) && at.Less(g.To) {
					records = append(records, r)
					sum = sum.Plus(s.summing.sumOf(r))
				}
			}
			slices.SortFunc(records, byPlace)
			return records, sum
		}
		t.Repeat(map[string]func(*rapid.T){
			"merge": func(t *rapid.T) {
				for range rapid.IntRange(1, 40).Draw(t, "records") {
					r := rescind.Record{
						Digest:       smallDigests.Draw(t, "digest"),
						IssuedBefore: rapid.SampledFrom([]rescind.Millis{5, rescind.Ever}).Draw(t, "before"),
						ExpiresAt:    startOf(smallBuckets.Draw(t, "bucket")) + rescind.Millis(rapid.Int64Range(0, 2).Draw(t, "ms")),
					}
					model[r.Digest], _ = s.Merge(r)
				}
			},
			"sweep": func(t *rapid.T) {
				now += rescind.Millis(rapid.Int64Range(0, 1e9).Draw(t, "step"))
				for turn := range uint64(numShards) {
					s.Sweep(turn, now)
				}
				for d, r := range model {
					if r.Lapsed(now) {
						delete(model, d)
					}
				}
			},
			"": func(t *rapid.T) {
				g := rescind.Range{From: smallBounds.Draw(t, "from"), To: smallBounds.Draw(t, "to")}
				records, sum := inModel(g)
				if got := s.SumRange(g); got != sum {
					t.Fatalf("SumRange(%v) = %v, want %v", g, got, sum)
				}
				if got, ok := s.RecordsIn(g, len(records)); !ok || !slices.Equal(got, records) {
					t.Fatalf("RecordsIn(%v) = %v, %v, want %v", g, got, ok, records)
				}
				if _, ok := s.RecordsIn(g, len(records)-1); ok && len(records) > 0 {
					t.Fatalf("RecordsIn(%v) yields more than its limit", g)
				}
				if !g.From.Less(g.To) {
					return
				}
				n := rapid.IntRange(2, 20).Draw(t, "parts")
				parts := s.Split(g, n)
				if len(parts) == 0 || len(parts) > n || len(parts) < 2 && len(records) > 1 {
					t.Fatalf("Split(%v, %d) of %d records has %d parts", g, n, len(records), len(parts))
				}
				at := g.From
				for _, p := range parts {
					if p.Range.From != at || !at.Less(p.Range.To) {
						t.Fatalf("Split(%v) has a part %v at %v", g, p.Range, at)
					}
					if _, want := inModel(p.Range); p.Sum != want {
						t.Fatalf("the sum of %v is %v, want %v", p.Range, p.Sum, want)
					}
					if len(records) > 1 && p.Sum.Count == uint64(len(records)) {
						t.Fatalf("Split(%v, %d) leaves all %d records in one part", g, n, len(records))
					}
					at = p.Range.To
				}
				if at != g.To {
					t.Fatalf("Split(%v) ends at %v", g, at)
				}
			},
		})
	})
}

var smallBucketsStart = startOf(3_000_000)

// TestSplitIsEven: what can be divided evenly is.
func TestSplitIsEven(t *testing.T) {
	all := rescind.Range{To: rescind.End}
	for name, place := range map[string]func(i uint64) rescind.Record{
		"buckets": func(i uint64) rescind.Record { return placed(i%1000, i<<40) },
		"shards":  func(i uint64) rescind.Record { return placed(0, i<<50) },
		"records": func(i uint64) rescind.Record { return placed(0, i) },
	} {
		s := newSet(0)
		const n, parts = 16_000, 16
		for i := range uint64(n) {
			s.Merge(place(i))
		}
		for _, p := range s.Split(all, parts) {
			if p.Sum.Count < n/parts*9/10 || p.Sum.Count > n/parts*11/10 {
				t.Errorf("%s: a part of %d of %d records in %d parts", name, p.Sum.Count, n, parts)
			}
		}
	}
}

func placed(bucket, hi uint64) rescind.Record {
	return rescind.Record{
		Digest:       rescind.MakeDigest(rescind.ScopeJTI, hi, hi<<8),
		IssuedBefore: rescind.Ever,
		ExpiresAt:    startOf(3_000_000 + rescind.Bucket(bucket)),
	}
}

// startOf returns the earliest expiry in a bucket.
func startOf(b rescind.Bucket) rescind.Millis {
	return rescind.Millis(b) * rescind.Millis(rescind.BucketWidth.Milliseconds())
}
