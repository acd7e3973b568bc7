package gossip

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rescind"
)

// TestRepairLogModel compares a log with a plain slice.
func TestRepairLogModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var l repairLog
		var want []rescind.Record
		for next := uint64(0); next < 3*maxLog; {
			part := make([]rescind.Record, 1+rng.IntN(5000))
			for i := range part {
				next++
				part[i].Digest.Lo = next
			}
			l.append(part)
			want = append(want, part...)
			want = want[max(0, len(want)-maxLog):]
			if rng.IntN(20) == 0 {
				keep := rng.IntN(len(want) + 1)
				l.trim(keep)
				want = want[len(want)-min(keep, len(want)):]
			}
			if l.n != len(want) {
				t.Fatalf("seed %d: %d records, want %d", seed, l.n, len(want))
			}
			if len(want) > 0 {
				i := rng.IntN(len(want))
				n := 1 + rng.IntN(min(len(want)-i, maxRecords))
				if !slices.Equal(l.from(i, n), want[i:i+n]) {
					t.Fatalf("seed %d: other records from %d", seed, i)
				}
			}
			if held := len(l.chunks) * logChunk; held > maxLog+2*logChunk {
				t.Fatalf("seed %d: memory for %d records", seed, held)
			}
		}
	}
}

// TestLogsOfAllStreamsAreBounded: however many streams are busy, what is kept of them
// for others stays within one bound, and no stream is left without any.
func TestLogsOfAllStreamsAreBounded(t *testing.T) {
	c := New(Config{Origin: 1, Epoch: 1, ForgetAfter: time.Hour}, 0, 0)
	c.logs = 40 << 10
	records := make([]rescind.Record, 4096)
	for i := range records {
		records[i] = rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeJTI, uint64(i+1), 0), ExpiresAt: 1 << 41}
	}
	for round := range uint64(8) {
		for o := range Origin(15) {
			first := round*4096 + 1
			c.Step(time.Second, Message{From: o + 2, Epoch: 1, Body: &Batch{First: first, Head: first + 4095, Records: records}})
		}
		c.Ready(time.Second)
		c.Advance()
		c.Ready(2 * time.Second)
		c.Advance()
		c.Tick(time.Second, 1_790_000_000_000)
		total, chunks := c.own.log.n, len(c.own.log.chunks)
		for _, p := range c.list {
			total += p.log.n
			chunks += len(p.log.chunks)
			if p.log.n == 0 {
				t.Errorf("round %d: nothing is left of %d", round, p.origin)
			}
		}
		if total > c.logs || chunks*logChunk > c.logs+16*logChunk {
			t.Fatalf("round %d: %d records in %d chunks, want at most %d", round, total, chunks, c.logs)
		}
	}
}
