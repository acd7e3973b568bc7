package gossip

import (
	"testing"
	"time"

	"rescind"
)

// TestOthersRecordsGather: records of others wait a little for the disk, so that
// several share an fsync, and no longer than Due says; our own, for which a
// caller waits, take along at once whatever there is.
func TestOthersRecordsGather(t *testing.T) {
	news := func(seq uint64) Message {
		return Message{From: 1, Epoch: 5, Body: &Batch{First: seq, Head: seq, Records: make([]rescind.Record, 1)}}
	}
	c := New(Config{Origin: 2, Epoch: 20}, 0, 0)
	c.Step(0, Message{From: 1, Epoch: 5, Body: &Beat{N: 1}})
	c.Ready(0)
	c.Step(10*time.Millisecond, news(1))
	r := c.Ready(10 * time.Millisecond)
	if r.Commit != nil || r.Due != 10*time.Millisecond+gather || len(r.Apply) != 1 {
		t.Fatalf("a record of another: commit %v, due %v, %d applied", r.Commit, r.Due, len(r.Apply))
	}
	c.Step(r.Due-1, news(2))
	if again := c.Ready(r.Due - 1); again.Commit != nil || again.Due != r.Due {
		t.Fatalf("a second one puts the commit off: %v, due %v", again.Commit, again.Due)
	}
	due := c.Ready(r.Due)
	if due.Commit == nil || len(due.Commit.Records) != 2 || due.Due != 0 {
		t.Fatalf("at Due: commit %v, due %v", due.Commit, due.Due)
	}
	c.Advance()

	c.Step(20*time.Millisecond, news(3))
	c.Ready(20 * time.Millisecond)
	c.Propose(make([]rescind.Record, 1))
	if own := c.Ready(20 * time.Millisecond); own.Commit == nil || len(own.Commit.Records) != 2 || own.Commit.Own != 1 || own.Due != 0 {
		t.Fatalf("with one of our own: commit %+v, due %v", own.Commit, own.Due)
	}
	c.Advance()

	c.Step(30*time.Millisecond, news(4))
	if next := c.Ready(30 * time.Millisecond); next.Commit != nil || next.Due != 30*time.Millisecond+gather {
		t.Fatalf("after one of our own, the next of another: commit %v, due %v", next.Commit, next.Due)
	}
}
