package cluster

import (
	"time"

	"rescind"
	"rescind/filter"
	"rescind/gossip"
	"rescind/gossip/carrier"
	"rescind/internal/timing"
)

// Status is a node's view of itself and its cluster at one moment.
type Status struct {
	Cluster string
	Name    string
	Origin  string // 16 hexadecimal digits, fixed for the life of the data folder
	Epoch   uint64 // raised at every start
	Uptime  time.Duration

	Ready   bool
	Reasons []Reason // why not ready, or what else an operator should know

	Staleness Staleness
	Bound     BoundKind // what Staleness is about
	Quorum    *Quorum   // of the named members; nil in an open cluster
	Members   []Member  // the other nodes
	Room      int       // how many other nodes there is room for

	Revocations map[rescind.Scope]int     // live revocations
	Total       int                       // their sum
	Max         int                       // the configured limit
	MaxBytes    int                       // that of Filter.Bytes; 0: none
	InForce     [rescind.NumScopes]uint64 // by scope, the revocations that came into force here since the start, accepted here or elsewhere
	Filter      filter.Stats              // memory, and what the Bloom filter measures of itself

	Comparisons gossip.CompareStats // rounds of anti-entropy that this node has begun

	Carriers []carrier.Status
	Counters Counters
	Window   Histogram // propagation window of revocations accepted here, one sample per node and revocation

	Accepted map[rescind.Scope]uint64 // Counters.Revoked by scope
	Refused  Refused

	StalenessSeen Histogram // of the bound, looked at every 100 ms; while it is unknown nothing is counted
	Gaps          Histogram // how long gaps in the streams of members lasted
	Queues        []Queue
	InboxBytes    int64 // of the messages that wait in the queue inbox

	Store StoreStats
}

// Refused counts what was refused since the node was opened, by reason: invalid,
// full, not_ready, isolated, closed, timeout, failed, and for uses also used,
// revoked, undecided and stale. Every reason is there.
type Refused struct {
	Revocations map[string]uint64
	Uses        map[string]uint64 // of one-time tokens
}

// StoreStats is what a node's disk shows.
type StoreStats struct {
	DiskBytes uint64    // of all files in the folder
	LogBytes  uint64    // of the part of the log that is not in tables yet
	Syncs     Histogram // the time of each sync of the log

	SharedBytes uint64 // that the shared log takes
	SharedLimit uint64 // at which it is full; 0: none, or there is no such log
	Losses      uint64 // times that it was found to lack what it had acknowledged
	Rewritten   uint64 // records that this node has written back into it
	Strangers   uint64 // messages there that nobody of this cluster has written

	SlowOperations   uint64 // those on the disk that took longer than five seconds
	BackgroundErrors uint64 // failures to write or merge tables
	Crowded          uint64 // times that a file could not be opened, because the process had too many open
}

// MemberState is what this node believes of another.
type MemberState string

const (
	MemberAlive  MemberState = "alive"  // heard within a few beats
	MemberSilent MemberState = "silent" // not heard for a while; it still counts
	MemberLeft   MemberState = "left"   // left gracefully; it no longer counts
)

// Member is another node as this one sees it.
type Member struct {
	Name   string
	Origin string
	Epoch  uint64
	State  MemberState

	// Staleness bounds how long ago a revocation may have been acknowledged by
	// this member without being known here. Known is false until it has been
	// measured once.
	Staleness time.Duration
	Known     bool

	// ClockSkew is by how much its wall clock is ahead of this node's, give or
	// take ClockSkewError; both are 0 until they are measured.
	ClockSkew, ClockSkewError time.Duration

	LastHeard time.Duration // since its last beat
	Behind    uint64        // revocations of its stream announced but not yet known here
	Unacked   uint64        // revocations of our stream that it has not acknowledged yet

	// Window is its part of Status.Window. It is empty for members beyond the
	// first 256 that acknowledged something.
	Window Histogram
}

// Staleness bounds how far a node may be behind the members it lists: every
// revocation that any of them acknowledged longer than Bound ago is known here.
// It is measured by echo on this node's clock alone.
type Staleness struct {
	Known bool          // false: no bound can be stated
	Bound time.Duration // 0 when alone
}

// Counters count since the node was opened.
type Counters struct {
	Revoked       uint64 // revocations accepted here
	Applied       uint64 // records received from others that changed the local set
	Repairs       uint64 // ranges asked for because of a gap
	StateRequests uint64 // chunks of full state asked for
	Swept         uint64 // records forgotten after their expiry
	Refused       uint64 // messages that were not sealed with our key, or of another cluster or version
	Unsigned      uint64 // sealed messages that were not signed by whom they said they were from
	ForgedAcks    uint64 // acknowledgements in the name of a member that has not made them
	Epochs        uint64 // epochs that a member told of another, which contradicted it
	Numbers       uint64 // numbers beyond what a member's stream can have reached
	Newcomers     uint64 // members that one told of beyond those that it may
	Malformed     uint64 // sealed messages that could not be understood
	Dropped       uint64 // messages that came faster than they could be taken
	Commits       uint64 // synced writes to the store
	Waits         uint64 // calls of WaitFor that had to wait
	WaitTimeouts  uint64 // those of them that ended before the version was there
	WaitsRefused  uint64 // calls of WaitFor that were refused because too many waited
	TooStale      uint64 // bounds on the staleness, of a route or a request, that could not be met
	Healed        uint64 // records that were missing here and that only a comparison found
	Unsound       uint64 // parts of the set in memory that were not what had been put there
	OtherVersion  uint64 // messages of nodes that speak another version
	TurnedAway    uint64 // messages of nodes for which there was no room
	ReadsDropped  uint64 // requests of others to read the set that found no room
	CompareBytes  uint64 // sent for comparisons, before the seal
	FirstByGossip uint64 // of Applied, those that memberlist brought in a batch before anything else did
	FirstByNATS   uint64 // of Applied, those that NATS did
	Duplicates    uint64 // messages that a second transport brought, too
	Replayed      uint64 // messages that came before by the same transport, or too late to tell
	Undated       uint64 // requests that were not answered because they may have been recorded long ago
	Deferred      uint64 // requests of members that had made this node send as much as they may

	Consumed         uint64 // one-time tokens used here
	ConsumeRefused   uint64 // uses refused here because the token was used or revoked
	ConsumeUndecided uint64 // strict uses of which nobody could say whether they are the first
	DoubleUses       uint64 // tokens used here although another node had used them earlier; see DoubleUse
}

// Histogram is a snapshot of durations in fixed buckets: upper bounds, ascending;
// counts, one per bound, not cumulative, and a last one above all bounds; and the
// sum.
type Histogram = timing.Snapshot
