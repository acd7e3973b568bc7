// Package gossip is the replication core: a state machine that makes every
// node of a cluster hold the same records. It is sans-I/O, in the manner of
// etcd's raft: no goroutine, socket, disk or clock inside. Messages and clock
// readings go in, messages and work orders come out, and so a simulator can
// drive thousands of nodes through a bad day in a second.
//
// # What it guarantees
//
// Provided that its caller keeps the contract below, and whatever the network
// loses, duplicates, reorders or delays:
//
//   - A record that its origin committed reaches every node that can exchange
//     messages with a node that holds it.
//   - A node acknowledges a record only after the caller has committed it.
//   - Staleness never claims less than the truth: see [Core.Staleness].
//
// # How it works
//
// Every data folder has a random [Origin]. Each time it is opened it begins an
// epoch, and the records that it accepts in this epoch form a stream, numbered
// 1, 2, 3, ... A [Batch] carries some of them to everybody at once. A [Beat],
// a few times a second, says how long the stream is, so that a receiver notices
// a gap; it asks the origin for the missing range, then others that have it,
// and if nobody remembers it, for the whole state ([StateRequest]).
//
// A node's frontier in a stream is the number up to which it holds every
// record. A frontier only counts when its base is known: a new epoch builds on
// everything that the origin held before, so its beat names the end of its
// previous epoch, and whoever had not followed to that end asks for the state.
// A donor states its frontiers before it scans its records; the receiver of the
// whole scan may therefore take these frontiers over.
//
// What numbers can't tell shows in sums: every half minute a node compares with
// another one ([Compare]), and each brings the other what it lacks.
//
// # The caller's part
//
// The caller owns one Core and calls it from one goroutine. It calls Step for
// each message, Tick every few milliseconds, Propose for new records, and then
// takes Ready, and must do, in this order:
//
//  1. merge Ready.Apply into the set that checks are answered from, and of
//     Ready.Heal what has not lapsed;
//  2. send Ready.Send (this may run beside the commit: a revocation that is
//     known too early harms nobody, an acknowledgement too early does);
//  3. start Ready.Commit, if any, and call Advance once it is durable. One
//     commit is under way at a time; if it fails, the Core must not be used
//     again. At Ready.Due, if set, take Ready again;
//  4. for each of Ready.Scans scan the set and return the outcome to Scanned,
//     for each of Ready.Compares call Against and return it to Compared. Both
//     read the set only and may run beside the rest.
//
// It forgets what has lapsed by Core.Lapsing, and only if that is trusted. Where
// nodes share one durable log, it also calls Vouch with what it has read there.
package gossip
