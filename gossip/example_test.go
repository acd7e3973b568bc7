package gossip_test

import (
	"fmt"
	"time"

	"rescind"
	"rescind/gossip"
)

// Two nodes in one loop: what the caller of a Core does, without a network and a
// disk. The record is known at once where its message arrives, and acknowledged
// when it is committed there.
func ExampleCore() {
	now, wall := time.Duration(0), rescind.MillisOf(time.Now())
	cores := map[gossip.Origin]*gossip.Core{
		1: gossip.New(gossip.Config{Origin: 1, Epoch: 1, Name: "node1"}, now, wall),
		2: gossip.New(gossip.Config{Origin: 2, Epoch: 1, Name: "node2"}, now, wall),
	}
	deliver := func() {
		for _, from := range []gossip.Origin{1, 2} {
			core := cores[from]
			ready := core.Ready(now)
			for range ready.Apply {
				fmt.Printf("node%d refuses it\n", from)
			}
			for _, out := range ready.Send {
				for to, other := range cores {
					if to != from && (out.To == to || out.To == 0) {
						other.Step(now, out.Message)
					}
				}
			}
			if ready.Commit != nil { // a disk would be written here
				core.Advance()
			}
			for _, ack := range ready.Acks {
				fmt.Printf("node%d has it from node%d, on disk, up to record %d\n", ack.Origin, from, ack.Seq)
			}
		}
	}

	record := rescind.Record{Digest: rescind.MakeDigest(rescind.ScopeSID, 1, 2), IssuedBefore: rescind.Ever, ExpiresAt: wall.Add(time.Hour)}
	for _, core := range cores {
		core.Tick(now, wall)
	}
	deliver() // each has heard that the other is there
	cores[1].Propose([]rescind.Record{record})
	for range 100 { // milliseconds
		now += time.Millisecond
		for _, core := range cores {
			core.Tick(now, wall.Add(now))
		}
		deliver()
	}
	// Output:
	// node2 refuses it
	// node2 has it from node1, on disk, up to record 1
}
