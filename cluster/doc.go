// Package cluster runs one node of Rescind: the revocations in memory, on disk
// and on every other node.
//
// [Open] returns a node that has loaded its disk and synchronised with a peer.
// [Node.Check] then answers from local memory, without I/O, waiting or
// allocation. [Node.Revoke] returns once the revocation is on this node's disk
// and on as many others as asked for.
//
// A node composes four parts that know nothing of each other: a filter.Set
// answers checks, a gossip.Core decides what to tell whom, carriers (memberlist
// and NATS) move the core's sealed messages, and a store keeps records: a
// store.Store on disk, or a sharedlog.Log in a JetStream stream that nodes without
// disks share. One goroutine, the loop, owns the core:
//
//	Revoke ──► filter ──► loop ──► carriers ──► other nodes
//	                      │  ▲
//	                      ▼  │ durable
//	                     store (one goroutine, group commit)
//
// Nothing in the loop waits for the disk or the network, so a revocation from
// elsewhere refuses tokens here as soon as its message arrives, and is
// acknowledged when it is on disk.
//
// [Node.Consume] lets a one-time token be used once: in mode available this node's
// set decides alone, in mode strict it asks an onetime.Store first.
package cluster
