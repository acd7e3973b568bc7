// Package filter is a node's local answer: the set of live revocations in
// memory, and the check of a token against it.
//
// It guarantees that a record is found by every look-up that starts after Add
// or Merge returned, until it has lapsed (never early), and that nothing else
// is ever found. Look-ups never wait: not for a writer, a resize or a sweep,
// and they do not allocate. Records are never evicted.
//
// A look-up hashes the identifier with SipHash-2-4-128 (Aumasson and
// Bernstein, 2012), keyed with the cluster's secret, so that nobody who can
// choose a sub can make it collide with another. It then reads one 64-byte
// block of a Bloom filter (Putze, Sanders and Singler, "Cache-, Hash- and
// Space-Efficient Bloom Filters", 2007). Only a positive goes on to the exact
// table, which decides. About one in a thousand absent identifiers is such a
// false positive, and it costs one more cache miss, never a wrong answer.
//
// The set is cut into 256 shards by the first byte of the digest. A shard that
// has grown or holds lapsed records is rebuilt as a new filter and table at
// the right size, and published by one pointer; readers of the old ones go on
// undisturbed. So there are no tombstones, no pause for the whole set, and
// memory comes back.
//
// The package knows no clock, disk, network or goroutine: time is an argument.
package filter
