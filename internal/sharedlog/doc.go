// Package sharedlog is the durable log that the nodes of a cluster share in
// place of disks of their own: a JetStream stream of batches.
//
// # Guarantees
//
// A batch for which Commit has returned nil is in the stream, acknowledged by as
// many servers as make a majority of its replicas, and Load finds it on every
// node, however many nodes were killed in between and even if all were. A batch for
// which Commit has not returned nil may be there in whole or in part, or come
// later; records join, so that harms nobody. Load returns once it has read all
// that was acknowledged before it was called. Lapsed records leave the stream by
// whole expiry buckets, never early and up to [BucketWidth] and one Drop late.
// Nothing else leaves it: a full stream refuses what is new. Where something is
// found to have left it all the same, nothing is acknowledged until a node that
// runs has written it back.
//
// # Who writes what
//
// A node writes the records that it accepted itself, so that the cluster keeps
// each once and not once a node. It follows the stream: what anybody was told to
// be durable arrives here also where no gossip does. A position of an origin is
// written behind all that it covers. Now and then each node writes a mark; once
// it reads its own, it holds all that was acknowledged before it wrote it. A mark
// also says how many messages its origin has written into each bucket, and nobody
// believes its position who has read fewer.
//
// A node without a disk has no identity to keep: each start is a new origin.
//
// # Failures
//
//	what happens                        what the log does
//	no server answers at the start      Load waits, and Trouble says why: the node is not ready
//	permissions, version, quota, domain the same, with an error for each; nothing is made that does not fit
//	no server answers later             Commit tries on and Trouble says why; it returns once one answers
//	an answer gets lost                 the same message is sent again, and the stream keeps it once (Nats-Msg-Id)
//	the stream has another message      it is sent under another ID: only the same message counts
//	under that ID
//	the stream is full                  Commit tries on, Trouble wraps ErrFull: an operator has to raise the limit
//	a server is killed, one of three    another leads after some seconds
//	a message does not open             it is skipped and counted: anybody who may publish there could
//	                                    keep every node from starting otherwise, and what a node of ours
//	                                    acknowledged does open. A wrong key shows in the stream's metadata
//	the stream was made for another     Load returns store.ErrOtherCluster
//	key or cluster name
//	the server comes back older, or     Trouble wraps ErrLost; Follow reads again from the beginning, and one
//	somebody removes messages           of the nodes that run writes back what is missing
//	the stream is deleted, or made      nobody writes to the new one by mistake: its subjects hold a random
//	anew, under running nodes           name. Trouble says so; the nodes go on answering from memory
//	servers lose power                  nothing is lost if they sync each write, which NATS does not by
//	                                    default; Load returns ErrMayNotSync unless told that they do
//
// # Cost
//
// A commit is one message of 93 bytes and 32 a record, where all records expire
// within one bucket. Measured: see BenchmarkCommit, beside the disk.
package sharedlog
