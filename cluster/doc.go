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
// and NATS) move the core's sealed messages, a store.Store keeps records on
// disk. One goroutine, the loop, owns the core:
//
//	Revoke ──► filter ──► loop ──► carriers ──► other nodes
//	                      │  ▲
//	                      ▼  │ durable
//	                     store (one goroutine, group commit)
//
// Nothing in the loop waits for the disk or the network, so a revocation from
// elsewhere refuses tokens here as soon as its message arrives, and is
// acknowledged when it is on disk.
package cluster
