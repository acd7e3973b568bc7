// Package filter is a node's local answer: the set of live revocations in
// memory, and the check of a token against it.
//
// It guarantees that a record is found by every check that starts after Add or
// Merge returned, until it has lapsed (never early), and that nothing else is
// ever found. Checks never wait: not for a writer, a resize or a sweep, and
// they do not allocate, but to remember what many will have in common. Records
// are never evicted.
//
// # A check
//
// The identifier is hashed with PMAC over AES-128, keyed with the cluster's
// secret, so that nobody who can choose a sub can make it collide with another.
// amd64 and arm64 processors do that in a few nanoseconds ([prf]); others take
// the standard library's AES. The hash says which 32 bytes of a Bloom filter to
// read. If the filter says no, which it does for all but 6 in 1,000 absent
// identifiers, that was all: one hash and one cache line. If it says maybe, the
// exact table decides.
//
// A token's jti, sid and sub are hashed in one go, and their cache lines are
// waited for together. Its client_id, kid and issuer are not looked up again
// while nobody has revoked any since they were looked up last.
//
// # Memory
//
// A record takes about 27 bytes, filter and sums included: 20 in the table if
// it covers tokens whenever they were issued, as revocations of tokens and
// sessions do, else 32; the table is at most 7/8 full; and 13 bits in the
// filter. Neither holds pointers, so garbage collection passes over them.
//
// # How it changes
//
// The exact tables are cut into 256 shards by the first byte of the digest. A
// writer inserts beside the readers. A shard that is full, or holds lapsed
// records, is built anew at the right size and published by one pointer;
// readers of the old one go on undisturbed. The filter, one for all shards, is
// renewed in the same manner, but a little with each change ([Set.Add],
// [Set.Sweep]), since it is large. So there are no tombstones and no pauses,
// and memory comes back.
//
// For anti-entropy the set keeps sums of what it holds, by expiry bucket and
// digest prefix: see [Sum].
//
// The package knows no clock, disk, network or goroutine: time is an argument.
// A clock that steps back only delays the sweep; the caller keeps one that
// steps ahead from dropping what is alive (see cluster's retention clock).
package filter
