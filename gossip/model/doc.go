// Package model explores the protocol of named members: every order of events of
// a small cluster, to the last one. It guarantees nothing about the code of
// package gossip; it says that the rules which that code follows are enough, and
// that none of them can be left out.
//
// A [Quorum] is about who counts: one record, members that are replaced while
// their old processes live on, founding, changes of the list, and folders that
// are rolled back. [Streams] is about what a statement covers: two records and more,
// origins that restart, bases, crashes, and vectors that come in parts.
//
// Time is one event, σ: a member, the reader, sends a heartbeat, and from then on
// echoes of it count. The oracle after every step is the sentence that a node
// states: a reader that could now state a bound back to σ, or become ready, refuses
// everything that a majority had acknowledged before σ. A message may be as late as
// one likes: what is said is what its sender knew when it sent it.
//
// [Explore] visits the states breadth first, so what it finds is the shortest way
// there. It keeps 64 bits of each state; that two of a hundred million coincide has a
// probability of three in ten thousand.
//
// The method is explicit-state model checking as in TLC (Yu, Manolios, Lamport, 1999).
// What was explored, and what was found, is in docs/model.md.
package model
